"""data_configs → spec.dataConfigs: where rows come from. How they become text: preprocess.py. Pure."""

import posixpath
from collections.abc import Iterator

from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.input_model import tell_place
from finetune_cli.olive.places import inside
from finetune_cli.olive.preprocess import preprocess
from finetune_cli.olive.resources import Where, resource
from finetune_cli.olive.section import Section, Sourced, items, joined

LOADERS = frozenset({"json", "csv", "parquet", "arrow", "text"})
"""Names of a data set that say how files are read."""
READ = ("json",)
TYPES = frozenset({"huggingfacecontainer", "datacontainer"})
LEAVE_OUT = "leave it out"
COMPONENT = ("components of an Olive data container are not run", LEAVE_OUT)
CODE = ("code that makes rows or text is not run", "write the rows to a JSON Lines file, and use text_template")

LOAD_NOT_CARRIED: dict[str, tuple[str, str]] = {
    "subset": ("a subset can't be chosen by name", "name its files by data_files"),
    "data_dir": ("a folder can't be chosen by data_dir", "name its files by data_files"),
    "col_filters": ("rows are not filtered by column", "filter the file before"),
    "trust_remote_code": ("a data set's code is never run", "name its files by data_files"),
    "streaming": ("rows are read as they are needed, in any case", LEAVE_OUT),
    "cache_dir": ("the store keeps what is fetched", LEAVE_OUT),
    "label_cols": ("a causal language model has no label columns", LEAVE_OUT),
}


def data_configs(root: Section, context: Context) -> list[Draft]:
    """All of them; each is known by its name afterwards."""
    given = root.peek("data_configs")
    if given is None:
        return []
    return [data_config(item, context) for item in _listed(root, given, context)]


def _listed(root: Section, given: Sourced, context: Context) -> Iterator[Section]:
    """A list, or as older versions had it an object of them by name."""
    if not isinstance(given.value, dict):
        for item in items(context.ledger, given):
            yield Section.of(context.ledger, item)
        return
    for name in root.part("data_configs"):
        inner = root.part("data_configs").part(name)
        named = Section(context.ledger, inner.steps, {"name": Sourced(name, inner.steps)})
        yield inner if "name" in inner else joined(named, inner)


def data_config(section: Section, context: Context, instead: str = "data") -> Draft:
    """One set of rows. Without a usable name it gets another."""
    ledger = context.ledger
    raw = section.text("name")
    name = context.data_names.give(raw) if raw else context.data_names.unused(instead)
    if not raw:
        ledger.note(section.steps, f"a data config without a name is called {name!r}")
    kind = section.text("type")
    if kind and kind.value.lower() not in TYPES:
        ledger.not_carried(kind.steps, f"{kind.value} makes no text", "use type HuggingfaceContainer")
    params, components = section.part("params_config"), section.part("components")
    load = _component(section, components, "load_dataset", params)
    oldest = params.part("component_kwargs").part("pre_process_data")
    process = _component(section, components, "pre_process_data", oldest)
    _refuse_rest(section, params, components)
    source = _source(load, name, context)
    load.refuse(LOAD_NOT_CARRIED)
    return {"name": name, "source": source, "preprocess": preprocess(process, params, context)}


def _component(section: Section, components: Section, name: str, oldest: Section) -> Section:
    """The parameters of a part, wherever a version of Olive had them; its type is not one of them."""
    own = section.part(f"{name}_config").flat("params")
    older = components.part(name).flat("params")
    for part in (own, older):
        part.take("type")  # the defaults are what there is here
    older.take("name")
    return joined(own, older, oldest)


def _refuse_rest(section: Section, params: Section, components: Section) -> None:
    section.refuse({"user_script": CODE, "script_dir": CODE})
    rest = {f"{name}_config": COMPONENT for name in ("post_process_data", "dataloader")}
    rest["dataloader_config"] = ("batches are made by the trainer", "set per_device_train_batch_size of the pass")
    section.refuse(rest)
    inner = {"post_process_data": COMPONENT, "dataloader": rest["dataloader_config"]}
    components.refuse(inner)
    params.part("component_kwargs").refuse(inner)


def _source(load: Section, name: str, context: Context) -> Sourced | Draft | None:
    given = load.text("data_name")
    loader = given.value.lower() if given and given.value.lower() in LOADERS else ""
    files, split = load.peek("data_files"), load.text("split")
    if files is None and (given is None or loader):
        context.ledger.error(load.steps, "no rows are named", "name them by data_name, or by data_files")
        return None
    if given and loader not in ("", *READ):
        remedy = "write the rows as JSON Lines"
        context.ledger.not_carried(given.steps, f"files are read as JSON, not as {loader}", remedy)
    if given and not loader:
        return _repository(given, files, split, load, context)
    assert files is not None  # noqa: S101  one of the two is there
    return _files(files, split, name, context)


def _repository(
    name: Sourced, files: Sourced | None, split: Sourced | None, load: Section, context: Context
) -> Sourced | Draft | None:
    """Files of a data set on the hub."""
    found = resource(name, context.ledger, context.files)
    if found and found.where in (Where.LOCAL, Where.BUCKET):
        return _files(name, split, context.data_names.unused("rows"), context)
    if split:
        message = "of a data set on the hub, the files of all splits are read"
        context.ledger.not_carried(split.steps, message, "name the split's files by data_files")
    revision, token = load.text("revision"), load.take("token", "use_auth_token")
    context.hub_token = context.hub_token or bool(token and token.value)
    patterns = None
    if files is not None:
        chosen = _of_split(files, split, context)
        patterns = Sourced([item.value for item in chosen], files.steps) if chosen else None
    where = {"repo": found.path if found else name, "revision": revision, "files": patterns}
    return {"huggingFace": {**where, "tokenSecretRef": context.token_reference()}}


def _of_split(files: Sourced, split: Sourced | None, context: Context) -> list[Sourced]:
    """The files that are meant, each with its place; those of other splits are reported."""
    ledger = context.ledger
    if not isinstance(files.value, dict) or "type" in files.value:
        listed = items(ledger, files) if isinstance(files.value, list) else [files]
        return [_read(item, context) for item in listed]
    wanted = str(split.value) if split else "train"
    section = Section.of(ledger, files)
    if wanted not in section and "train" in section:
        wanted = "train"
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


def _files(files: Sourced, split: Sourced | None, name: str, context: Context) -> Sourced | Draft | None:
    if split and split.value != "train":
        message = "a file read by data_files is split 'train' as a whole"
        context.ledger.not_carried(split.steps, message, "write the rows of the split to a file of their own")
    chosen = _of_split(files, split, context)
    if len(chosen) == 1:
        return _one(chosen[0], name, context)
    return _several(chosen, files, name, context)


def _one(file: Sourced, name: str, context: Context) -> Sourced | Draft | None:
    found = resource(file, context.ledger, context.files)
    ledger = context.ledger
    if found is None:
        ledger.error(file.steps, "the rows' place can't be told", "write a path as text")
        return None
    match found.where:
        case Where.ELSEWHERE:
            ledger.error(file.steps, "no source reads such a URL", "download the file and name it by its path")
        case Where.BUCKET:
            return {"s3": {"uri": found.path}}
        case Where.HUB if found.file:
            return {"huggingFace": {"repo": found.path, "revision": found.revision or None, "files": [found.file]}}
        case Where.AZURE:
            path = inside(found.path.value)
            remedy = f"download it (az storage blob download) and put it at {path} in a claim named olive-files"
            ledger.not_carried(found.path.steps, "Azure ML's datastores can't be read here", remedy)
            return Sourced({"volume": {"claimName": "olive-files", "path": path}}, found.path.steps)
        case _:
            return _local(found.path, name, context)
    return None


def _local(path: Sourced, name: str, context: Context) -> Sourced | None:
    if any(letter in path.value for letter in "*?[") and not context.files.kind(path.value):
        matching = [Sourced(match, path.steps) for match in context.files.matching(path.value)]
        return _several(matching, path, name, context)
    source = context.places.single(path.value)
    tell_place(path, source, context)
    return Sourced(source, path.steps)


def _several(files: list[Sourced], whole: Sourced, name: str, context: Context) -> Sourced | None:
    """Local files, in a folder of their own."""
    ledger = context.ledger
    wrong = [item for item in files if not isinstance(item.value, str) or "://" in item.value]
    if wrong or not files:
        steps = wrong[0].steps if wrong else whole.steps
        ledger.error(
            steps, "no file is named, or one that is not on this machine", "name the rows' files by their paths"
        )
        return None
    source = context.places.several([item.value for item in files], name)
    if "s3" in source:
        ledger.note(whole.steps, f"uploaded to {source['s3']['uri']}")
    else:
        names = ", ".join(posixpath.basename(inside(item.value)) for item in files[:3])
        volume = source["volume"]
        message = f"put {len(files)} files ({names}…) into folder {volume['path']} of a claim {volume['claimName']}"
        ledger.note(whole.steps, message, "--upload puts them into a bucket")
    return Sourced(source, whole.steps)
