"""load_dataset_config → where the rows of a data config come from. Which of them: row_choice.py. Pure."""

import re

from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.files import files
from finetune_cli.olive.formats import LOADERS, format_of
from finetune_cli.olive.hub_token import ask_with_token
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.resources import Resource, Where, resource
from finetune_cli.olive.section import Section, Sourced, items

TRAIN, VALIDATION = "train", "validation"
SPLITS = ("only a data set on the hub has subsets", LEAVE_OUT)

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "trust_remote_code": ("a data set's code is never run", "name its files by data_files"),
    "streaming": ("rows are read as they are needed, in any case", LEAVE_OUT),
    "cache_dir": ("the store keeps what is fetched", LEAVE_OUT),
    "label_cols": ("a causal language model has no label columns", LEAVE_OUT),
    "field": ("a JSON file holds rows and nothing around them", "write the rows to a JSON Lines file"),
    "sep": ("CSV has commas", "write the file with commas"),
    "delimiter": ("CSV has commas", "write the file with commas"),
}


def rows(load: Section, name: str, context: Context) -> Draft:
    """source, files, format and split of a data config; without a place for rows, an error is noted."""
    given = load.text("data_name")
    loader = given if given and given.value.lower() in LOADERS else None
    split = _split(load)
    if loader or given is None:
        found = _local(loader, load, split, name, context)
    else:
        found = _named(given, load, split, name, context)
    load.refuse(NOT_CARRIED)
    return found


def _split(load: Section) -> Sourced | None:
    """The split itself, of which all or some rows are meant."""
    given = load.text("split")
    return Sourced(re.split(r"[\[+]", given.value)[0], given.steps) if given else None


def _local(loader: Sourced | None, load: Section, split: Sourced | None, name: str, context: Context) -> Draft:
    """Files named by data_files, or a folder named by data_dir."""
    folder = load.text("data_dir")
    named = load.peek("data_files") or folder
    if named is None:
        context.ledger.error(load.steps, "no rows are named", "name them by data_name, or by data_files")
        return {}
    load.refuse({"subset": SPLITS})
    chosen = _of_split(named, split, context)
    if named is not folder:
        chosen = _below(folder, chosen)
    if split and split.value != TRAIN and not _by_split(named):
        message = "a file read by data_files is split 'train' as a whole"
        context.ledger.not_carried(split.steps, message, "write the rows of the split to a file of their own")
    return {**files(chosen, named, name, context), "format": format_of(loader, chosen, context)}


def _named(given: Sourced, load: Section, split: Sourced | None, name: str, context: Context) -> Draft:
    """A data set on the hub; or what has its name on this machine, or in a bucket."""
    found = resource(given, context.ledger, context.files)
    if found and found.where in (Where.LOCAL, Where.BUCKET):
        load.refuse({"subset": SPLITS})
        if split and split.value != TRAIN:
            message = "only a data set on the hub has splits: all files are read"
            context.ledger.not_carried(split.steps, message, "name the split's files by data_files")
        named = load.peek("data_files")
        inner = load.text("data_dir")
        folder = _below(given, [inner])[0] if inner else given
        chosen = _below(folder, _of_split(named, split, context)) if named else [folder]
        return files(chosen, given, name, context)
    return _on_the_hub(found, given, load, split, context)


def _below(folder: Sourced | None, chosen: list[Sourced]) -> list[Sourced]:
    """Files that are named relative to a folder; absolute ones, and what is no text, as they are."""
    if folder is None:
        return chosen
    return [
        Sourced(f"{folder.value.rstrip('/')}/{item.value}", item.steps) if _is_relative(item.value) else item
        for item in chosen
    ]


def _is_relative(path: object) -> bool:
    return isinstance(path, str) and not path.startswith("/") and "://" not in path


def _on_the_hub(
    found: Resource | None, given: Sourced, load: Section, split: Sourced | None, context: Context
) -> Draft:
    revision, subset = load.text("revision"), load.text("subset")
    ask_with_token(load, context, "token", "use_auth_token")
    named, folder = load.peek("data_files"), load.text("data_dir")
    where: Draft = {
        "repo": found.path if found else given,
        "revision": revision,
        "tokenSecretRef": context.token_reference(),
    }
    if named is not None:
        if subset:
            context.ledger.not_carried(subset.steps, "data_files says which files are read", LEAVE_OUT)
        chosen = _below(folder, _of_split(named, split, context))
        patterns = Sourced([item.value for item in chosen], named.steps) if chosen else None
        return {"source": {"huggingFace": where}, "files": patterns}
    if folder:
        return {"source": {"huggingFace": where}, "files": _all_below(folder, split, subset, context)}
    if split is None:
        message = "no split is named: validation, as in Olive"
        context.ledger.note(load.steps, message, "name split train, if that is meant")
    return {"source": {"huggingFace": {**where, "subset": subset}}, "split": split or VALIDATION}


def _all_below(folder: Sourced, split: Sourced | None, subset: Sourced | None, context: Context) -> Sourced:
    for ignored in (given for given in (split, subset) if given):
        message = "all files below data_dir are read"
        context.ledger.not_carried(ignored.steps, message, "name the split's files by data_files")
    return Sourced([f"{folder.value.rstrip('/')}/**"], folder.steps)


def _by_split(named: Sourced) -> bool:
    return isinstance(named.value, dict) and "type" not in named.value


def _of_split(named: Sourced, split: Sourced | None, context: Context) -> list[Sourced]:
    """The files that are meant, each with its place; those of other splits are reported."""
    ledger = context.ledger
    if not _by_split(named):
        listed = items(ledger, named) if isinstance(named.value, list) else [named]
        return [_read(item, context) for item in listed]
    wanted = str(split.value) if split else TRAIN
    section = Section.of(ledger, named)
    if wanted not in section and TRAIN in section:
        wanted = TRAIN
    for name in section:
        other = section.peek(name)
        if name != wanted and other:
            message = f"another split than {wanted!r}"
            ledger.not_carried(other.steps, message, "write a data config of its own for it")
    found = section.peek(wanted)
    return _of_split(found, None, context) if found and not isinstance(found.value, dict) else []


def _read(item: Sourced, context: Context) -> Sourced:
    if isinstance(item.value, str):
        context.ledger.read(item.steps)
    return item
