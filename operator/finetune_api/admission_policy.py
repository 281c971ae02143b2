"""What an administrator's policy looks at, generated from the models, so that no field escapes it. Pure.

The chart makes a ValidatingAdmissionPolicy of it (https://kubernetes.io/docs/reference/access-authn-authz/
validating-admission-policy/). For each of the chart's values `policy.<name>` there is one CEL expression: what a spec
asks for against it, as one text, empty when there is nothing. It compares with the CEL variable `allowed_<name>`, a
list of names (`team-*` allows all that begin so) or a map of counts.

Run `python -m finetune_api.admission_policy FILE…` to write it.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import yaml

from finetune_api.resource.base import Bounded, Governed, Model
from finetune_api.resource.job import FineTuneJobSpec

HEADER = "# Generated from operator/finetune_api/resource by `make generate`. Do not edit.\n"
SPEC = "spec"
LIST = "[]"


@dataclass(frozen=True)
class Site:
    """A place in the spec whose value a policy may bound."""

    path: tuple[str, ...]
    """Its fields below spec; those of a list of named things end in []."""
    governed: Governed


@cache
def sites() -> tuple[Site, ...]:
    """Every place that a policy may bound, in the spec's order."""
    return tuple(_sites(FineTuneJobSpec, ()))


def expressions() -> dict[str, str]:
    """CEL by name of the chart's value, sorted."""
    names = sorted({site.governed.by for site in sites()})
    return {name: _listed([_told(site) for site in sites() if site.governed.by == name]) for name in names}


def render() -> str:
    """The expressions as YAML."""
    return HEADER + yaml.safe_dump(expressions(), width=10**6, default_style='"')


def _sites(model: type[Model], path: tuple[str, ...]) -> Iterator[Site]:
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        yield from (Site(here, mark) for mark in field.metadata if isinstance(mark, Governed))
        yield from _sites_within(field.annotation, here)


def _sites_within(kind: Any, path: tuple[str, ...]) -> Iterator[Site]:
    if isinstance(kind, type) and issubclass(kind, Model):
        yield from _sites(kind, path)
    elif get_origin(kind) is Annotated:
        yield from (Site(path, mark) for mark in kind.__metadata__ if isinstance(mark, Governed))
        yield from _sites_within(kind.__origin__, path)
    else:
        inner = (*path[:-1], path[-1] + LIST) if get_origin(kind) is list else path
        for argument in get_args(kind):
            yield from _sites_within(argument, inner)


def _listed(texts: list[str]) -> str:
    return _joined("[" + ", ".join(texts) + "]")


def _joined(texts: str) -> str:
    return f"{texts}.filter(text, text != '').join('; ')"


def _told(site: Site) -> str:
    return _walk(f"object.{SPEC}", SPEC, site.path, site.governed)


def _walk(holder: str, place: str, path: tuple[str, ...], governed: Governed) -> str:
    """CEL for what is wrong below a holder.

    Args:
        holder: CEL for the object that the path begins in.
        place: the holder's own place in the spec, as what stands between the quotes of a CEL string.
        path: the fields from there.
        governed: what is looked at in the end.
    """
    name = path[0].removesuffix(LIST)
    value, here = f"{holder}.{name}", f"{place}.{name}"
    if path[0].endswith(LIST):
        item = f"{name}_item"
        named = f"{here}[' + {item}.name + ']"
        found = _joined(f"{value}.map({item}, {_walk(item, named, path[1:], governed)})")
    elif path[1:]:
        found = _walk(value, here, path[1:], governed)
    else:
        found = _refused(value, here, governed)
    return f"(has({value}) ? {found} : '')"


def _refused(value: str, here: str, governed: Governed) -> str:
    """CEL for what is wrong with a value itself."""
    allowed = f"variables.allowed_{governed.by}"
    if governed.bounded is Bounded.SWITCHED:
        return f"({value} && !{allowed} ? '{here} is true' : '')"
    if governed.bounded is Bounded.COUNTED:
        fits = f"{value}.resourceName in {allowed} && {value}.count <= int({allowed}[{value}.resourceName])"
        return f"({fits} ? '' : '{here} is ' + string({value}.count) + ' ' + {value}.resourceName)"
    if governed.bounded is Bounded.MEASURED:
        return _measured(value, here, allowed)
    fits = _named(value, allowed)
    if governed.bounded is Bounded.NAMED_OR_EMPTY:
        fits = f"{value} == '' || {fits}"
    return f"({fits} ? '' : '{here} is \"' + {value} + '\"')"


def _named(value: str, allowed: str) -> str:
    """CEL for whether a value is allowed by its name, or by its beginning."""
    begins = f"{value}.startsWith(entry.substring(0, size(entry) - 1))"
    return f"{allowed}.exists(entry, entry.endsWith('*') ? {begins} : {value} == entry)"


def _measured(value: str, here: str, allowed: str) -> str:
    """CEL for amounts by resource: extended resources, which have a slash in their name, are bounded."""
    most = f"quantity(string(int({allowed}[key])))"
    fits = f"key in {allowed} && quantity({value}[key]).compareTo({most}) <= 0"
    told = f"'{here} names ' + {value}[key] + ' ' + key"
    return _joined(f"{value}.map(key, !key.contains('/') || ({fits}) ? '' : {told})")


def main() -> None:
    for path in sys.argv[1:]:
        Path(path).write_text(render())


if __name__ == "__main__":
    main()
