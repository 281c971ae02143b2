"""What the API server would refuse of an object's metadata. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from finetune_api.problem import Problem
from finetune_api.schema_problem import other_type

NAMES = frozenset({"name", "generateName", "namespace"})
MAPS = frozenset({"labels", "annotations"})
LISTS = frozenset({"finalizers", "ownerReferences"})
WRITTEN_BY_SERVER = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"}
)
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
NAME_CHARS = 253
LABEL_CHARS = 63
AS_NAMES = "use lower case, digits, '-' and '.'"
AS_LABELS = "use letters, digits, '-', '_' and '.', and begin and end with a letter or digit"


def metadata_problems(metadata: Any) -> Iterator[Problem]:
    """All that is wrong with an object's metadata, as written by people or by kubectl get."""
    if not isinstance(metadata, dict):
        yield Problem("metadata", "not an object", "write metadata: {name: …}")
        return
    for name in sorted(metadata.keys() - NAMES - MAPS - LISTS - WRITTEN_BY_SERVER):
        yield Problem(f"metadata.{name}", "unknown field", "check the spelling")
    if "name" not in metadata and "generateName" not in metadata:
        yield Problem("metadata.name", "required, but not given")
    for name in ("name", "generateName", "namespace"):
        if name in metadata:
            yield from _name_problems(f"metadata.{name}", metadata[name], whole=name != "generateName")
    for name in ("labels", "annotations"):
        yield from _map_problems(f"metadata.{name}", metadata.get(name, {}), labels=name == "labels")
    for name in sorted(LISTS & metadata.keys()):
        if not isinstance(metadata[name], list):
            yield Problem(f"metadata.{name}", "a list is asked for")


def is_object_name(name: Any) -> bool:
    """Whether Kubernetes takes it for an object's name (a DNS subdomain)."""
    return isinstance(name, str) and len(name) <= NAME_CHARS and SUBDOMAIN.fullmatch(name) is not None


def _name_problems(path: str, name: Any, *, whole: bool) -> Iterator[Problem]:
    """Of a prefix (not whole) the server makes a name, so it may end in a hyphen."""
    if not isinstance(name, str):
        yield _not_text(path, name)
    elif len(name) > NAME_CHARS:
        yield _too_long(path, name, NAME_CHARS)
    elif not is_object_name(name if whole else f"{name}x"):
        yield Problem(path, f"{name!r} is not a name", AS_NAMES)


def _map_problems(path: str, entries: Any, *, labels: bool) -> Iterator[Problem]:
    if not isinstance(entries, dict):
        yield Problem(path, "an object is asked for")
        return
    for key, value in entries.items():
        if not _is_key(key):
            yield Problem(path, f"{key!r} is not a key", AS_LABELS)
        elif not isinstance(value, str):
            yield _not_text(f"{path}[{key}]", value)
        elif labels and len(value) > LABEL_CHARS:
            yield _too_long(f"{path}[{key}]", value, LABEL_CHARS)
        elif labels and not LABEL.fullmatch(value):
            yield Problem(f"{path}[{key}]", f"{value!r} is not a label's value", AS_LABELS)


def _is_key(key: str) -> bool:
    """A name, and before a slash, where there is one, a domain."""
    prefix, slash, name = key.rpartition("/")
    return 0 < len(name) <= LABEL_CHARS and LABEL.fullmatch(name) is not None and (not slash or is_object_name(prefix))


def _not_text(path: str, value: Any) -> Problem:
    return Problem(path, "a text is asked for", other_type("string_type", value))


def _too_long(path: str, text: str, most: int) -> Problem:
    return Problem(path, f"has {len(text)} characters", f"use {most} or fewer")
