"""FineTuneJobs in a file, checked as kubectl and the operator would. Pure but for reading the file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import click

from finetune_api import API_VERSION, GROUP, KIND
from finetune_api.resource.base import without_nulls
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.validate import Problem, parse
from finetune_cli.kubectl_yaml import ManifestError, load_file
from finetune_cli.metadata import metadata_problems

FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
LISTS = ("List", f"{KIND}List")
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Manifest:
    """One FineTuneJob of a file."""

    name: str
    namespace: str
    spec: FineTuneJobSpec | None
    """None when it does not fit the schema."""
    problems: list[Problem]
    named: bool = True
    """Whether it says its name itself; the API server gives it one otherwise."""

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
        found = checked(load_file(file))
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
    there_is = ", ".join(job.name for job in found.jobs)
    if not jobs:
        raise click.UsageError(f"{name} holds no job named {wanted!r}; there is {there_is}")
    if len(jobs) > 1:
        remedy = "give each a name of its own" if wanted else "say which by --name"
        raise click.UsageError(f"{name} holds {there_is}; {remedy}")
    if not jobs[0].valid:
        raise click.ClickException("\n".join(f"{name}: {problem}" for problem in jobs[0].problems))
    return jobs[0]


def checked(documents: list[Any]) -> Found:
    """The FineTuneJobs among documents, checked."""
    jobs, others = [], []
    for document in flattened(documents):
        kind = _other_kind(document)
        if kind:
            others.append(kind)
        else:
            jobs.append(check(document))
    return Found(_told_apart(jobs), others)


def _other_kind(document: Any) -> str:
    """The kind of an object that is somebody else's; empty for a job, and for what was meant as one."""
    if not isinstance(document, dict) or str(document.get("apiVersion", "")).startswith(f"{GROUP}/"):
        return ""
    kind = document.get("kind")
    return kind if isinstance(kind, str) and kind != KIND else ""


def _told_apart(jobs: list[Manifest]) -> list[Manifest]:
    """A job after another of its name would change that one, which the API server refuses."""
    names = [(job.namespace, job.name) for job in jobs]
    return [
        replace(job, problems=[*job.problems, _used_twice(job)])
        if job.named and (job.namespace, job.name) in names[:index]
        else job
        for index, job in enumerate(jobs)
    ]


def _used_twice(job: Manifest) -> Problem:
    message = f"{job.name!r} is used twice in namespace {job.namespace}"
    return Problem("metadata.name", message, "give each job a name of its own")


def check(document: Any) -> Manifest:
    """One document, as FineTuneJob."""
    if not isinstance(document, dict):
        what = "a list" if isinstance(document, list) else "text or a number"
        wrong = Problem("the document", f"{what}, where an object is asked for", f"write kind: {KIND} and its fields")
        return Manifest("?", DEFAULT_NAMESPACE, None, [wrong], named=False)
    document = without_nulls(document)
    spec, problems = parse(document.get("spec", {}))
    metadata = document.get("metadata", {})
    known = metadata if isinstance(metadata, dict) else {}
    return Manifest(
        name=str(known.get("name", known.get("generateName", "?"))),
        namespace=str(known.get("namespace", DEFAULT_NAMESPACE)),
        spec=spec,
        problems=[*_envelope_problems(document), *metadata_problems(metadata), *problems],
        named="name" in known,
    )


def flattened(documents: list[Any]) -> Iterator[Any]:
    """Lists, as kubectl get -o yaml and the API server write them, replaced by their items."""
    for document in documents:
        if isinstance(document, dict) and document.get("kind") in LISTS and isinstance(document.get("items"), list):
            yield from document["items"]
        else:
            yield document


def _envelope_problems(document: dict[str, Any]) -> Iterator[Problem]:
    if document.get("kind") != KIND:
        found = document.get("kind")
        yield Problem("kind", f"{found!r} is unknown" if found else "not given", f"write kind: {KIND}")
    if document.get("apiVersion") != API_VERSION:
        found = document.get("apiVersion")
        yield Problem(
            "apiVersion", f"{found!r} is unknown" if found else "not given", f"write apiVersion: {API_VERSION}"
        )
    for name in sorted(document.keys() - FIELDS):
        yield Problem(str(name), "unknown field", "job fields belong below spec")
