"""What a path in an Olive config means: the hub, a bucket, this machine, Azure ML. Pure."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from finetune_cli.olive.places import Files
from finetune_cli.olive.section import Ledger, Section, Sourced

REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")
HUB_URL = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?:datasets/)?(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:/(?:resolve|blob|tree|raw)/(?P<revision>[^/]+)(?:/(?P<file>.+))?)?/?",
    re.ASCII,
)
SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*|%[A-Za-z_]\w*%", re.ASCII)
AZURE_TYPES = frozenset({"azureml_model", "azureml_registry_model", "azureml_datastore", "azureml_job_output"})
LOCAL_TYPES = frozenset({"file", "folder", "local_file", "local_folder"})


class Where(Enum):
    """The kinds of place."""

    HUB = auto()
    BUCKET = auto()
    LOCAL = auto()
    AZURE = auto()
    ELSEWHERE = auto()
    """A URL that no source reads."""


@dataclass(frozen=True)
class Resource:
    """A place, and the key that names it."""

    where: Where
    path: Sourced
    """Repository, URI or path; of Azure ML the name or the path within."""
    revision: str = ""
    file: str = ""
    """A file in the repository."""


def resource(value: Sourced, ledger: Ledger, files: Files) -> Resource | None:
    """What a path means, written as text or as an object with a type; None, and reported, where that can't be told."""
    if isinstance(value.value, str):
        ledger.read(value.steps)
        return _of_text(value, ledger, files) if value.value else None
    section = Section.of(ledger, value).flat("config")
    kind = section.text("type")
    name = kind.value.lower() if kind else ""
    if name in AZURE_TYPES:
        return _of_azure(section, name)
    path = section.text("path", "name")
    if path is None:
        ledger.not_carried(value.steps, "names no path", "write the path as text")
        return None
    return Resource(Where.LOCAL, path) if name in LOCAL_TYPES else _of_text(path, ledger, files)


def is_repository(text: str) -> bool:
    return REPOSITORY.fullmatch(text) is not None


def _of_text(value: Sourced, ledger: Ledger, files: Files) -> Resource:
    text = value.value
    if VARIABLE.search(text):
        ledger.note(value.steps, "variables are not filled in", "write what stands for them")
    if text.startswith("s3://"):
        return Resource(Where.BUCKET, value)
    if found := HUB_URL.fullmatch(text):
        repo = Sourced(found["repo"], value.steps)
        return Resource(Where.HUB, repo, found["revision"] or "", found["file"] or "")
    if text.startswith("azureml:"):
        return Resource(Where.AZURE, Sourced(text.rpartition("/paths/")[2] or text, value.steps))
    if SCHEME.match(text):
        return Resource(Where.ELSEWHERE, value)
    looks_local = text.startswith((".", "/", "~")) or "\\" in text
    if looks_local or files.kind(text) or not is_repository(text):
        return Resource(Where.LOCAL, value)
    return Resource(Where.HUB, value)


def _of_azure(section: Section, kind: str) -> Resource | None:
    """Its name or path is taken; what only Azure ML knows is reported."""
    about = "describes Azure ML, which a FineTuneJob does not read"
    section.refuse(
        {
            "azureml_client": (about, "keep it for the download; see the note on the resource"),
            "registry_name": (about, "keep it for the download; see the note on the resource"),
            "datastore_name": (about, "keep it for the download; see the note on the resource"),
            "job_id": (about, "keep it for the download; see the note on the resource"),
            "output_name": (about, "keep it for the download; see the note on the resource"),
            "version": ("Azure ML's versions are not the hub's", "set huggingFace.revision to pin one"),
        }
    )
    path = section.text("relative_path", "name")
    if path is None:
        section.ledger.not_carried(section.steps, f"{kind} names no path", "name it by relative_path or name")
        return None
    return Resource(Where.AZURE, path)
