"""pre_process_data_config → preprocess: how a row becomes text. Pure."""

from finetune_api.validate.data import template_columns
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced, joined

OLDER = ("dataset_type", "corpus_strategy", "source_max_len", "pair_format")
"""Keys of versions whose corpora were read line by line unless told otherwise."""
RENAMED = {"line-by-line-random": "line-by-line"}
DIRECT = {
    "padToMaxLen": ("pad_to_max_len",),
    "paddingSide": ("padding_side",),
    "dropShortSequences": ("drop_short_sequences",),
    "useAttentionMask": ("use_attention_mask",),
    "addSpecialTokens": ("add_special_tokens",),
    "joiner": ("joiner",),
}
CODE = ("code that makes text is not run", "use text_template")
ONE_LENGTH = ("prompt and answer share maxSeqLen", "set it to the sum of both lengths")

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "text_formatting_func": CODE,
    "input_formatting_func": CODE,
    "target_formatting_func": CODE,
    "output_formatting_func": CODE,
    "user_script": CODE,
    "script_dir": CODE,
    "input_template": ("a pair has no templates", "use text_template with both columns, and answerColumn"),
    "target_template": ("a pair has no templates", "use text_template with both columns, and answerColumn"),
    "output_template": ("a pair has no templates", "use text_template with both columns, and answerColumn"),
    "target_max_len": ONE_LENGTH,
    "processing_batch_size": ("rows are tokenised as they are read", LEAVE_OUT),
    "random_retries": ("a random sequence is never too short here", LEAVE_OUT),
    "kv_cache": ("training keeps no cache of keys and values", LEAVE_OUT),
    "align_labels": ("a causal language model has no labels", LEAVE_OUT),
    "label_col": ("a causal language model has no labels", "use text_template"),
    "label_cols": ("a causal language model has no labels", "use text_template"),
    "input_cols": ("rows become text by a template", "use text_template"),
    "batch_size": ("batches are made by the trainer", "set per_device_train_batch_size of the pass"),
    "model_config_path": ("the input model's own config is read", LEAVE_OUT),
}
RECOMMENDED = "completion trains the answer only, which usually serves better"


def preprocess(section: Section, params: Section, context: Context) -> Draft:
    """How rows become text.

    Args:
        section: the parameters, wherever they stood.
        params: params_config of older versions, where model and task stood too.
        context: of the import.
    """
    older = any(name in section for name in OLDER)
    kind = section.text("dataset_type")
    draft: Draft = {
        **_text(section, kind.value.lower() if kind else "", context),
        "maxSeqLen": section.number("max_seq_len", "source_max_len"),
        **_strategy(section, older, context),
        **{field: section.take(*names) for field, names in DIRECT.items()},
    }
    _seed(section, draft, context)
    _known_elsewhere(joined(section, params), context)
    section.refuse(NOT_CARRIED)
    return draft


def _text(section: Section, kind: str, context: Context) -> Draft:
    if section.peek("chat_template") and section.peek("chat_template") != _false(section):
        return _chat(section, context)
    section.flag("chat_template")
    if kind == "pair":
        return _pair(section, context)
    if "text_template" in section:
        return _template(section, context)
    return _columns(section, context)


def _false(section: Section) -> Sourced | None:
    found = section.peek("chat_template")
    return found if found and found.value is False else None


def _all(steps: Section, context: Context) -> str:
    context.ledger.note(steps.steps, "loss: all, as Olive trains", RECOMMENDED)
    return "all"


def _chat(section: Section, context: Context) -> Draft:
    given = section.take("chat_template")
    template = given if given and given.value is not True else None
    context.ledger.note(section.steps, "loss: all, as Olive trains", "completion trains the assistant's turns only")
    return {"chat": {"messagesColumn": section.take("message_col"), "chatTemplate": template}, "loss": "all"}


def _pair(section: Section, context: Context) -> Draft:
    inputs, outputs = section.text("input_col"), section.text("target_col", "output_col")
    masked = section.flag("ignore_source_in_labels")
    shape = section.text("pair_format")
    if shape and shape.value.lower() not in ("default", "custom"):
        message = f"{shape.value} is no layout of columns here"
        context.ledger.not_carried(shape.steps, message, "name the columns by input_col and output_col")
    pair = {"inputColumn": inputs or "input", "outputColumn": outputs or "output"}
    return {"pair": pair, "loss": _all(section, context) if masked and masked.value is False else "completion"}


def _template(section: Section, context: Context) -> Draft:
    template, columns = section.take("text_template"), section.texts("text_cols")
    if columns and template and not _covers(columns.value, template.value):
        message = "lacks columns of text_template, which Olive takes instead of it"
        context.ledger.note(columns.steps, message, "only the template is carried over")
        columns = None
    return {"textTemplate": template, "textColumns": columns, "loss": _all(section, context)}


def _covers(columns: object, template: object) -> bool:
    try:
        named = template_columns(str(template))
    except ValueError:
        return True  # the template itself is what is wrong
    return not isinstance(columns, list) or all(name in columns for name in named)


def _columns(section: Section, context: Context) -> Draft:
    """Olive joins columns by a space, textColumns by a newline: several become a template."""
    columns = section.texts("text_cols")
    if columns is None:
        context.ledger.note(section.steps, "no text_template and no text_cols: column 'text', as in Olive")
        return {"textColumns": ["text"], "loss": "all"}
    loss = _all(section, context)
    several = isinstance(columns.value, list) and len(columns.value) > 1
    if several and all(isinstance(name, str) and not set(name) & set("{}[].:!") for name in columns.value):
        template = " ".join(f"{{{name}}}" for name in columns.value)
        context.ledger.note(columns.steps, "a textTemplate, since Olive joins columns by a space")
        return {"textTemplate": Sourced(template, columns.steps), "loss": loss}
    return {"textColumns": columns, "loss": loss}


def _strategy(section: Section, older: bool, context: Context) -> Draft:
    given = section.text("strategy", "corpus_strategy")
    default = "line-by-line" if older else "join"
    if given is None:
        context.ledger.note(section.steps, f"strategy: {default}, which is the default of that version of Olive")
        return {"strategy": default, "stride": section.number("stride")}
    name = RENAMED.get(given.value, given.value)
    if name != given.value:
        context.ledger.note(given.steps, f"{name}: the trainer puts rows in random order in any case")
    stride = section.number("stride")
    if stride and name != "join-sliding-window":
        context.ledger.not_carried(stride.steps, f"has no meaning with strategy {name}", LEAVE_OUT)
        stride = None
    return {"strategy": Sourced(name, given.steps), "stride": stride}


def _seed(section: Section, draft: Draft, context: Context) -> None:
    seed = section.number("random_seed")
    strategy = draft["strategy"]
    name = strategy.value if isinstance(strategy, Sourced) else strategy
    if seed and name != "join-random":
        context.ledger.not_carried(seed.steps, f"nothing is random in strategy {name}", "set data_seed of the pass")
        seed = None
    draft["randomSeed"] = seed


def _known_elsewhere(section: Section, context: Context) -> None:
    """What Olive fills in from the input model, and some configs repeat."""
    task = section.text("task")
    if task and not task.value.startswith("text-generation"):
        context.ledger.not_carried(task.steps, f"{task.value!r} makes no text to train on", "use text-generation")
    name = section.text("model_name")
    if name:
        message = "rows are tokenised by the input model's tokenizer"
        context.ledger.note(name.steps, message, "a tokenizer of another model can't be used")
    if remote := section.take("trust_remote_code"):
        message = "holds for the tokenizer as for the model"
        context.ledger.not_carried(remote.steps, message, "set trust_remote_code of the input model")
