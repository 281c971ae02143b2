"""What does not fit the resource's schema, in the resource's own words: pydantic's are for programmers. Pure."""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from finetune_api.pattern_words import described
from finetune_api.problem import Problem
from finetune_api.redaction import without_logins
from finetune_api.resource.base import Model
from finetune_api.resource.job import FineTuneJobSpec

Loc = tuple[int | str, ...]
KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}
"""pydantic's names of errors about a value's type, to the type that is asked for."""
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def schema_problem(item: Any) -> Problem:
    """One of pydantic's findings (https://docs.pydantic.dev/latest/errors/validation_errors/)."""
    path, kind = spec_path(item["loc"]), item["type"]
    if kind == "extra_forbidden":
        return Problem(path, *_unknown_field(item["loc"]))
    if kind == "missing":
        return Problem(path, "required, but not given")
    if kind in KINDS:
        return Problem(path, f"{KINDS[kind]} is asked for", other_type(kind, item["input"]))
    if kind in _WORDS:
        return Problem(path, *_WORDS[kind](item["input"], item.get("ctx", {})))
    return Problem(path, item["msg"].removeprefix("Value error, "))


def spec_path(loc: Loc) -> str:
    """('passes', 0, 'lora', 'r') → spec.passes[0].lora.r"""
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def _unknown_field(loc: Loc) -> tuple[str, str]:
    if loc[-2:] == ("huggingFace", "files"):
        return "is a field of the data config itself", "write it beside source"
    name, parent = str(loc[-1]), _model_at(loc[:-1])
    fields = {field.alias or key: field for key, field in parent.model_fields.items()} if parent else {}
    inner = next((key for key, field in fields.items() if name in _aliases(_model_in(field.annotation))), "")
    if inner:
        return "unknown field", f"it belongs into {inner}"
    if near := difflib.get_close_matches(name.replace("_", ""), fields, n=1, cutoff=0.75):
        return "unknown field", f"did you mean {near[0]}?"
    place = ".".join(["spec", *(part for part in loc[:-1] if isinstance(part, str))])
    return "unknown field", f"check the spelling with kubectl explain finetunejob.{place}"


def _model_at(loc: Loc) -> type[Model] | None:
    """The model of a place in the spec; None where there is none, as within a plugin's own config."""
    model: type[Model] | None = FineTuneJobSpec
    for name in (part for part in loc if isinstance(part, str)):
        fields = model.model_fields.items() if model else ()
        model = next((_model_in(field.annotation) for key, field in fields if name in (field.alias, key)), None)
    return model


def _model_in(annotation: Any) -> type[Model] | None:
    """The model that an annotation is of: itself, an item's, or where it is optional."""
    if get_origin(annotation) is None:
        return annotation if isinstance(annotation, type) and issubclass(annotation, Model) else None
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def _aliases(model: type[Model] | None) -> set[str]:
    return {field.alias or key for key, field in model.model_fields.items()} if model else set()


def other_type(kind: str, given: Any) -> str:
    """What to do about a value of another type, where it only looks like one.

    Args:
        kind: of KINDS, the type that is asked for.
        given: the value.
    """
    if kind == "string_type" and isinstance(given, bool):
        words = '"true" or "yes"' if given else '"false" or "no"'
        return f"write it in quotes as it stands there, such as {words}"
    if kind == "string_type" and isinstance(given, (int, float)):
        return f'write it in quotes: "{given}"'
    if kind in ("int_type", "float_type") and isinstance(given, str) and NUMBER.fullmatch(given):
        return f"write it without quotes: {given}"
    return ""


def _number(bound: float) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _too_small(given: Any, bound: str) -> tuple[str, str]:
    return f"{given} is too small", f"use {bound}"


def _too_large(given: Any, bound: str) -> tuple[str, str]:
    return f"{given} is too large", f"use {bound}"


def _unknown_word(given: Any, ctx: Mapping[str, Any]) -> tuple[str, str]:
    known = [word or number for word, number in re.findall(r"'([^']*)'|(\d+)", ctx["expected"])]
    known = [word for word in known if word]
    return f"{given!r} is unknown", f"use {'one of: ' if len(known) > 1 else ''}{', '.join(known)}"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


_WORDS: dict[str, Callable[[Any, Mapping[str, Any]], tuple[str, str]]] = {
    "greater_than_equal": lambda given, ctx: _too_small(given, f"{_number(ctx['ge'])} or more"),
    "greater_than": lambda given, ctx: _too_small(given, f"more than {_number(ctx['gt'])}"),
    "less_than_equal": lambda given, ctx: _too_large(given, f"{_number(ctx['le'])} or less"),
    "less_than": lambda given, ctx: _too_large(given, f"less than {_number(ctx['lt'])}"),
    "too_short": lambda _, ctx: ("has too few items", f"give {_count(ctx['min_length'], 'item')} or more"),
    "too_long": lambda _, ctx: ("has too many items", f"give {_count(ctx['max_length'], 'item')} or fewer"),
    "string_too_short": lambda _, ctx: ("is empty" if ctx["min_length"] == 1 else "is too short", "write something"),
    "string_too_long": lambda _, ctx: ("is too long", f"use {_count(ctx['max_length'], 'character')} or fewer"),
    "string_pattern_mismatch": lambda given, ctx: (
        f"{without_logins(str(given))!r} is not {described(ctx['pattern'])}",
        "",
    ),
    "literal_error": _unknown_word,
    "enum": _unknown_word,
}
"""pydantic's names of other errors, to what is wrong and what to do."""
