"""data_configs → spec.dataConfigs, of which rows.py, row_choice.py and preprocess.py read a part each. Pure."""

from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.preprocess import preprocess
from finetune_cli.olive.row_choice import chosen_rows
from finetune_cli.olive.rows import rows
from finetune_cli.olive.section import Section, Sourced, items, joined

TYPES = frozenset({"huggingfacecontainer", "datacontainer"})
COMPONENTS = {"load_dataset": "huggingface_dataset", "pre_process_data": "text_generation_huggingface_pre_process"}
"""What stands here for the parts of a data container."""
COMPONENT = ("components of an Olive data container are not run", LEAVE_OUT)
CODE = ("code that makes rows or text is not run", "write the rows to a JSON Lines file, and use text_template")


def data_configs(root: Section, context: Context) -> list[Draft]:
    """All of them; each is known by its name afterwards."""
    given = root.peek("data_configs")
    if given is None:
        return []
    if not isinstance(given.value, dict):
        return [data_config(Section.of(context.ledger, item), context) for item in items(context.ledger, given)]
    return [_named(raw, root.part("data_configs").part(raw), context) for raw in root.part("data_configs")]


def _named(raw: str, section: Section, context: Context) -> Draft:
    """One of older versions' object of them by name, which passes refer to by either of its names."""
    own = Section(context.ledger, section.steps, {"name": Sourced(raw, section.steps)})
    draft = data_config(section if "name" in section else joined(own, section), context)
    context.data_names.also(raw, draft["name"])
    return draft


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
    oldest = params.part("component_kwargs")
    load = _component(section, components, "load_dataset", joined(oldest.part("load_dataset"), params), context)
    process = _component(section, components, "pre_process_data", oldest.part("pre_process_data"), context)
    _refuse_rest(section, params, components)
    found = rows(load, name, context)
    draft: Draft = {"name": name, **found, "preprocess": preprocess(process, params, context)}
    return {**draft, **chosen_rows(load, process, draft, context)}


def _component(section: Section, components: Section, name: str, oldest: Section, context: Context) -> Section:
    """The parameters of a part, wherever a version of Olive had them; its type is not one of them."""
    own = section.part(f"{name}_config").flat("params")
    older = components.part(name).flat("params")
    for part in (own, older):
        _check_type(name, part, context)
    older.take("name")
    return joined(own, older, oldest)


def _check_type(name: str, part: Section, context: Context) -> None:
    given = part.text("type")
    if given and given.value.lower() != COMPONENTS[name]:
        remedy = "write the rows to a file and name it by data_files; text_template makes text of them"
        context.ledger.not_carried(given.steps, f"{given.value} is not run", remedy)


def _refuse_rest(section: Section, params: Section, components: Section) -> None:
    section.refuse({"user_script": CODE, "script_dir": CODE})
    rest = {f"{name}_config": COMPONENT for name in ("post_process_data", "dataloader")}
    rest["dataloader_config"] = ("batches are made by the trainer", "set per_device_train_batch_size of the pass")
    section.refuse(rest)
    inner = {"post_process_data": COMPONENT, "dataloader": rest["dataloader_config"]}
    components.refuse(inner)
    params.part("component_kwargs").refuse(inner)
