"""Files that a data config names → source and files. Pure."""

import glob
from itertools import takewhile

from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.input_model import tell_place
from finetune_cli.olive.places import CLAIM, inside
from finetune_cli.olive.resources import Where, resource
from finetune_cli.olive.section import Sourced

BUCKET = "s3://"
NAMED = 3
"""Files that a message names."""
UNKNOWN = ("no file is named, or files that lie in several places", "name files of this machine, or of one bucket")


def files(chosen: list[Sourced], whole: Sourced, name: str, context: Context) -> Draft:
    """Source and files of a data config.

    Args:
        chosen: the files, or patterns of them, each with its place in the config.
        whole: the key that named them.
        name: the data config's.
        context: of the import.
    """
    paths = [item.value for item in chosen]
    if len(paths) == 1 and not (isinstance(paths[0], str) and _is_pattern(paths[0], context)):
        return _one(chosen[0], context)
    if paths and all(isinstance(path, str) and path.startswith(BUCKET) for path in paths):
        return _in_bucket(paths, whole, context)
    if paths and all(isinstance(path, str) and "://" not in path for path in paths):
        return _here(paths, whole, name, context)
    context.ledger.error(whole.steps, *UNKNOWN)
    return {}


def _is_pattern(path: str, context: Context) -> bool:
    return glob.has_magic(path) and not context.files.kind(path)


def _one(file: Sourced, context: Context) -> Draft:
    found = resource(file, context.ledger, context.files)
    ledger = context.ledger
    if found is None:
        ledger.error(file.steps, "the rows' place can't be told", "write a path as text")
        return {}
    match found.where:
        case Where.ELSEWHERE:
            ledger.error(file.steps, "no source reads such a URL", "download the file and name it by its path")
        case Where.BUCKET:
            return {"source": {"s3": {"uri": found.path}}}
        case Where.HUB if found.file:
            repository = {"repo": found.path, "revision": found.revision or None}
            return {"source": {"huggingFace": repository}, "files": Sourced([found.file], file.steps)}
        case Where.AZURE:
            path = inside(found.path.value)
            remedy = f"download it (az storage blob download) and put it at {path} in a claim named {CLAIM}"
            ledger.not_carried(found.path.steps, "Azure ML's datastores can't be read here", remedy)
            return {"source": Sourced({"volume": {"claimName": CLAIM, "path": path}}, found.path.steps)}
        case _:
            source = context.places.single(found.path.value)
            tell_place(found.path, source, context)
            return {"source": Sourced(source, found.path.steps)}
    return {}


def _here(paths: list[str], whole: Sourced, name: str, context: Context) -> Draft:
    """Files of this machine: chosen by their names in a claim, or uploaded into a folder of their own."""
    if context.places.bucket is None:
        patterns = [inside(path) if _is_pattern(path, context) else glob.escape(inside(path)) for path in paths]
        folder, below = _parted(patterns)
        source = {"volume": {"claimName": CLAIM, **({"path": folder} if folder else {})}}
        named = ", ".join(below[:NAMED]) + (" …" if len(below) > NAMED else "")
        message = f"{named} expected below {folder or '/'} in a claim named {CLAIM} that you fill"
        remedy = f"--upload puts them into a bucket; finetune run --mount {CLAIM}=. finds them here"
        context.ledger.note(whole.steps, message, remedy)
        return {"source": Sourced(source, whole.steps), "files": Sourced(below, whole.steps)}
    found = [match for path in paths for match in _matching(path, context)]
    if not found:
        context.ledger.error(whole.steps, "no file here matches", "check the names; paths are relative to the config")
        return {}
    source = context.places.several(found, name)
    context.ledger.note(whole.steps, f"uploaded to {source['s3']['uri']}")
    return {"source": Sourced(source, whole.steps)}


def _matching(path: str, context: Context) -> list[str]:
    return context.files.matching(path) if _is_pattern(path, context) else [path]


def _in_bucket(uris: list[str], whole: Sourced, context: Context) -> Draft:
    """Objects of one bucket, below what their keys have in common."""
    context.ledger.read(whole.steps)
    buckets = {uri.removeprefix(BUCKET).partition("/")[0] for uri in uris}
    if len(buckets) != 1 or any("//" in uri.removeprefix(BUCKET) for uri in uris):
        context.ledger.error(whole.steps, *UNKNOWN)
        return {}
    folder, below = _parted([uri.removeprefix(BUCKET).partition("/")[2] for uri in uris])
    uri = f"{BUCKET}{buckets.pop()}/{folder}".rstrip("/")
    return {"source": {"s3": {"uri": Sourced(uri, whole.steps)}}, "files": Sourced(below, whole.steps)}


def _parted(patterns: list[str]) -> tuple[str, list[str]]:
    """The folder that all of them lie in, and their names below it."""
    folders = [_plain(pattern.rpartition("/")[0]).split("/") for pattern in patterns]
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    folder = "/".join(level[0] for level in levels)
    return folder, [pattern.removeprefix(folder).lstrip("/") for pattern in patterns]


def _plain(folder: str) -> str:
    """The part of it before any pattern."""
    parts = folder.split("/")
    count = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return "/".join(parts[:count])
