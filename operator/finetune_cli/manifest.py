"""FineTuneJobs in a file, checked as kubectl and the operator would. Pure but for reading the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import click

from finetune_api import API_VERSION, KIND
from finetune_api.resource.base import without_nulls
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.validate import Problem, parse
from finetune_cli.kubectl_yaml import ManifestError, load_documents

FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
METADATA = frozenset({"name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences"})
WRITTEN_BY_SERVER = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"}
)
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NAME_CHARS = 253
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Manifest:
    """One FineTuneJob of a file."""

    name: str
    namespace: str
    spec: FineTuneJobSpec | None
    """None when it does not fit the schema."""
    problems: list[Problem]

    @property
    def valid(self) -> bool:
        return self.spec is not None and not self.problems


@dataclass(frozen=True)
class Found:
    """What a file holds."""

    jobs: list[Manifest]
    others: list[str]
    """Kinds of the other objects."""


def read(file: IO[bytes], name: str) -> Found:
    """Reads and checks a file.

    Args:
        file: opened for reading bytes.
        name: how to call it in messages.

    Raises:
        ClickException: it is not YAML, or holds no FineTuneJob.
    """
    try:
        found = checked(load_documents(file.read().decode()))
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{name}: not UTF-8 text (byte {error.start})") from error
    except ManifestError as error:
        raise click.ClickException(f"{name}: {error}") from error
    if not found.jobs:
        there_is = f" (there is: {', '.join(found.others)})" if found.others else ""
        raise click.ClickException(f"{name}: holds no {KIND}{there_is}")
    return found


def read_one(file: IO[bytes], name: str, wanted: str) -> Manifest:
    """One valid job of a file.

    Args:
        file: opened for reading bytes.
        name: how to call it in messages.
        wanted: the job's name; may be empty where the file holds one.

    Raises:
        ClickException: there is no such job, or it is not valid.
    """
    found = read(file, name)
    jobs = [job for job in found.jobs if not wanted or job.name == wanted]
    if len(jobs) != 1:
        there_is = ", ".join(job.name for job in found.jobs)
        raise click.UsageError(f"{name} holds {there_is}; say which by --name")
    if not jobs[0].valid:
        raise click.ClickException("\n".join(f"{name}: {problem}" for problem in jobs[0].problems))
    return jobs[0]


def checked(documents: list[Any]) -> Found:
    """The FineTuneJobs among documents, checked."""
    jobs, others = [], []
    for document in flattened(documents):
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind == KIND or kind is None or not isinstance(kind, str):
            jobs.append(check(document))
        else:
            others.append(kind)
    return Found(jobs, others)


def check(document: Any) -> Manifest:
    """One document, as FineTuneJob."""
    if not isinstance(document, dict):
        return Manifest(
            "?", DEFAULT_NAMESPACE, None, [Problem(".", "not an object", f"write kind: {KIND} and its fields")]
        )
    document = without_nulls(document)
    spec, problems = parse(document.get("spec", {}))
    metadata = document.get("metadata", {})
    known = metadata if isinstance(metadata, dict) else {}
    return Manifest(
        name=str(known.get("name", known.get("generateName", "?"))),
        namespace=str(known.get("namespace", DEFAULT_NAMESPACE)),
        spec=spec,
        problems=[*_envelope_problems(document), *_metadata_problems(metadata), *problems],
    )


def flattened(documents: list[Any]) -> Iterator[Any]:
    """Lists, as kubectl get -o yaml writes them, replaced by their items."""
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from document["items"]
        else:
            yield document


def _envelope_problems(document: dict[str, Any]) -> Iterator[Problem]:
    if document.get("kind") != KIND:
        yield Problem("kind", f"not {KIND}", f"write kind: {KIND}")
    if document.get("apiVersion") != API_VERSION:
        found = document.get("apiVersion")
        yield Problem(
            "apiVersion", f"{found!r} is unknown" if found else "not given", f"write apiVersion: {API_VERSION}"
        )
    for name in sorted(document.keys() - FIELDS):
        yield Problem(str(name), "unknown field", "job fields belong below spec")


def _metadata_problems(metadata: Any) -> Iterator[Problem]:
    if not isinstance(metadata, dict):
        yield Problem("metadata", "not an object", "write metadata: {name: …}")
        return
    for name in sorted(metadata.keys() - METADATA - WRITTEN_BY_SERVER):
        yield Problem(f"metadata.{name}", "unknown field", "check the spelling")
    if "name" not in metadata and "generateName" not in metadata:
        yield Problem("metadata.name", "required, but not given")
    elif not is_object_name(metadata.get("name", "x")):
        yield Problem("metadata.name", f"{metadata['name']!r} is not a name", "use lower case, digits, '-' and '.'")


def is_object_name(name: Any) -> bool:
    """Whether Kubernetes takes it for an object's name (a DNS subdomain)."""
    return isinstance(name, str) and len(name) <= NAME_CHARS and SUBDOMAIN.fullmatch(name) is not None
