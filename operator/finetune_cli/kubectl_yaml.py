"""YAML as kubectl reads it (sigs.k8s.io/yaml, which is go-yaml v2): 1e-4 is a number, yes and on are true, a date is
text, a key given twice is refused, and what comes out is JSON.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

import yaml

MAX_DEPTH = 100
MAX_NODES = 200_000
"""Far beyond any manifest: aliases of aliases would otherwise fill the memory."""
NO_KEY = "a key is neither text nor number"
INT64 = 2**63
UINT64 = 2**64
BOOL, INT, FLOAT, NULL, MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "null", "merge"))
TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
NUMBER = re.compile(r"^[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$")
INTEGER = re.compile(r"^[-+]?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|0|[1-9][0-9_]*)$")
SPECIAL = re.compile(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")


class ManifestError(ValueError):
    """The text is not YAML that kubectl would take; says where."""


def load_file(file: IO[bytes]) -> list[Any]:
    """The documents of a file that is opened for reading bytes, as load_documents.

    Raises:
        ManifestError: what load_documents raises, or it is not UTF-8.
    """
    try:
        return load_documents(file.read().decode())
    except UnicodeDecodeError as error:
        raise ManifestError(f"not UTF-8 text (byte {error.start})") from error


def load_documents(text: str) -> list[Any]:
    """The documents of a file as JSON values; empty documents are left out.

    Raises:
        ManifestError: malformed, a key given twice, or nothing that JSON can hold.
    """
    refused: ManifestError | None = None
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)]
        except json.JSONDecodeError as error:
            _refuse_comment(text, error)  # else it may be flow-style YAML, which begins so too
        except RecursionError as error:
            raise ManifestError("nested too deeply") from error
        except ManifestError as error:
            refused = error  # YAML says on which line
    documents = _yaml_documents(text)
    if refused:
        raise refused
    budget = iter(range(MAX_NODES))
    return [_json(document, budget) for document in documents if document is not None]


def _refuse_comment(text: str, error: json.JSONDecodeError) -> None:
    if text.startswith(("//", "/*"), error.pos) and not error.msg.startswith("Expecting value"):
        remedy = "take it out, or begin it with #"
        raise ManifestError(f"line {error.lineno}: JSON has no comments ({remedy})") from error


def _yaml_documents(text: str) -> list[Any]:
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        part = text.lstrip().startswith('"')
        hint = " (is it a part of a JSON object? put { } around it)" if part else ""
        raise ManifestError(_where(error) + hint) from error
    except yaml.YAMLError as error:
        raise ManifestError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ManifestError("nested too deeply") from error


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as go-yaml v2 does."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own shape

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Where keys are still as written: merging would repeat some."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                if key.value in seen:
                    raise ManifestError(f"line {key.start_mark.line + 1}: key {key.value!r} is given twice")
                seen.add(key.value)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Keys become text here, where 1 and true are still two."""
        if not isinstance(node, yaml.MappingNode):
            raise ManifestError(f"line {node.start_mark.line + 1}: expected an object")
        self.flatten_mapping(node)
        return {self._text_of(key): self.construct_object(value, deep=deep) for key, value in node.value}

    def _text_of(self, key: yaml.Node) -> str:
        found = self.construct_object(key, deep=True)
        if not isinstance(found, (str, int, float)):
            raise ManifestError(f"line {key.start_mark.line + 1}: {NO_KEY}")
        return _key(found)


def _exactly(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(f"^({'|'.join(re.escape(word) for word in words)})$")


def _bool(loader: Any, node: Any) -> bool:
    text = loader.construct_scalar(node)
    if text not in TRUE | FALSE:
        raise ManifestError(f"line {node.start_mark.line + 1}: {text!r} is not a boolean")
    return text in TRUE


def _text(loader: Any, node: Any) -> str:
    return str(loader.construct_scalar(node))


def _integer(loader: Any, node: Any) -> int | float:
    text = str(loader.construct_scalar(node)).replace("_", "")
    if not INTEGER.match(text):
        return _number(loader, node)
    try:
        value = _of_base(text)
    except ValueError as error:  # 0x_, or more digits than anyone counts
        raise ManifestError(f"line {node.start_mark.line + 1}: {text[:40]!r} is no number") from error
    return value if -INT64 <= value < UINT64 else float(value)


def _of_base(text: str) -> int:
    """As Go reads it: 010 is eight."""
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if re.fullmatch(r"0[0-7]+", digits):
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _number(loader: Any, node: Any) -> float:
    text = str(loader.construct_scalar(node)).replace("_", "")
    if not NUMBER.match(text):
        raise ManifestError(f"line {node.start_mark.line + 1}: {text!r} is no number that JSON can hold")
    try:
        return float(text)
    except ValueError as error:
        raise ManifestError(f"line {node.start_mark.line + 1}: {text!r} is no number") from error


for _tag, _pattern, _first in (
    (BOOL, _exactly(TRUE | FALSE), "yYnNtTfFoO"),
    (INT, INTEGER, "-+0123456789"),
    (FLOAT, NUMBER, "-+.0123456789"),
    (FLOAT, SPECIAL, "-+."),
    (NULL, _exactly(("~", "null", "Null", "NULL", "")), ["~", "n", "N", ""]),
    (MERGE, _exactly(("<<",)), "<"),
):
    _Loader.add_implicit_resolver(_tag, _pattern, list(_first))
_Loader.add_constructor(BOOL, _bool)
_Loader.add_constructor(INT, _integer)
_Loader.add_constructor(FLOAT, _number)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


class _Dumper(yaml.SafeDumper):
    """Quotes what kubectl, or another reader, would take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


for _character in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}:
    for _tag, _pattern in _Loader.yaml_implicit_resolvers.get(_character, []):
        _Dumper.add_implicit_resolver(_tag, _pattern, [_character])


def _dumped_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Several lines as one, so that they can be read as they are written in a config."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None)


_Dumper.add_representer(str, _dumped_text)


def dump_document(document: Any) -> str:
    """A document as YAML that load_documents, and kubectl, read back as it was."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    said = error.problem or error.context or "malformed YAML"
    return f"line {mark.line + 1}: {said}" if mark else said


def _json(value: Any, budget: Iterator[int], depth: int = 0) -> Any:
    if next(budget, None) is None or depth > MAX_DEPTH:
        raise ManifestError("too large, or nested too deeply")
    if isinstance(value, dict):
        return _object((_key(key), _json(item, budget, depth + 1)) for key, item in value.items())
    if isinstance(value, list):
        return [_json(item, budget, depth + 1) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ManifestError("a number is too large for JSON")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value  # Go writes 16.0 as 16
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise ManifestError(f"a value of kind {type(value).__name__}, which JSON does not have")


def _key(key: Any) -> str:
    """Numbers and booleans become text; a null or a list can't be a key."""
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (str, int, float)):
        return str(key)
    raise ManifestError(NO_KEY)


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ManifestError(f"key {key!r} is given twice")
        found[key] = value
    return found


def _no_constant(text: str) -> None:
    raise ManifestError(f"{text} is no number that JSON can hold")
