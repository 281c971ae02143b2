"""What is wrong with spec.dataConfigs beyond their schema. Pure."""

import json
import string
from collections.abc import Iterator, Sequence

from finetune_api.problem import Problem
from finetune_api.resource.data import INLINE_BYTES, TRAIN_SPLIT, DataConfig, DataSource, Preprocess

BINARY = ("parquet", "arrow")
BRACES = "write {column}, and {{ }} for braces"


def template_columns(template: str) -> list[str]:
    """Columns that a text template names, in order, repeated ones once.

    Raises:
        ValueError: the template's braces do not match, or a placeholder has no name or more than a name.
    """
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(_braces(str(error))) from error
    for _, field, spec, conversion in parsed:
        if field is not None and (not field or field.isdigit()):
            msg = "a placeholder without a column's name"
            raise ValueError(msg)
        if field is not None and (spec or conversion or set(".[") & set(field)):
            msg = f"the placeholder at {field!r} is more than a column's name"
            raise ValueError(msg)
    return list(dict.fromkeys(field for _, field, _, _ in parsed if field is not None))


def _braces(said: str) -> str:
    """What Python says of braces that do not match, in words for people who do not write Python."""
    return "a } without its {" if "'}'" in said and "expected" not in said else "a { without its }"


def data_problems(data_configs: Sequence[DataConfig]) -> Iterator[Problem]:
    """What is wrong with a job's data configs."""
    for index, config in enumerate(data_configs):
        path = f"spec.dataConfigs[{index}]"
        yield from _file_problems(path, config)
        yield from preprocess_problems(f"{path}.preprocess", config.preprocess)
    yield from _inline_problems(data_configs)


def _file_problems(path: str, config: DataConfig) -> Iterator[Problem]:
    source = config.source
    if config.split != TRAIN_SPLIT and not source.hugging_face:
        message = f"only a huggingFace source has splits, not {_name(source)}"
        yield Problem(f"{path}.split", message, "leave it out, and choose the files by source or files")
    if config.files and source.hugging_face and (config.split != TRAIN_SPLIT or source.hugging_face.subset):
        yield Problem(f"{path}.files", "chooses files, and so do split and subset", "keep one of the two")
    if config.files and (source.config_map or source.inline):
        yield Problem(f"{path}.files", f"has no meaning with {_name(source)}, which is one file", "leave it out")
    if config.format in BINARY and source.inline:
        yield Problem(f"{path}.format", f"{config.format} is no text", "use one of: json, jsonl, csv")


def _name(source: DataSource) -> str:
    return type(source).model_fields[source.variant].alias or source.variant


def _inline_problems(data_configs: Sequence[DataConfig]) -> Iterator[Problem]:
    """The job and all its rows become one ConfigMap, as JSON."""
    texts = [(index, config.source.inline.text) for index, config in enumerate(data_configs) if config.source.inline]
    size = sum(len(json.dumps(text, ensure_ascii=False).encode()) for _, text in texts)
    if size > INLINE_BYTES:
        message = f"the job's inline rows take {size} bytes as JSON, and at most {INLINE_BYTES} fit"
        path = f"spec.dataConfigs[{texts[-1][0]}].source.inline.text"
        yield Problem(path, message, "put them into a configMap, a bucket or a volume")


def preprocess_problems(path: str, preprocess: Preprocess) -> Iterator[Problem]:
    """What is wrong with how rows become text."""
    yield from _strategy_problems(path, preprocess)
    kinds = [name for name, there in _kinds(preprocess).items() if there]
    if not kinds:
        remedy = "say how rows become text"
        yield Problem(path, "none of textTemplate, textColumns, pair, chat is set", remedy)
    if len(kinds) > 1:
        yield Problem(path, f"{' and '.join(kinds)} are set together", "keep one of them")
    if not preprocess.text_template:
        if preprocess.answer_column:
            yield Problem(f"{path}.answerColumn", "has no meaning without a textTemplate", "set textTemplate")
        return
    yield from _template_problems(path, preprocess)


def _kinds(preprocess: Preprocess) -> dict[str, bool]:
    return {
        "textTemplate": bool(preprocess.text_template),
        "textColumns": bool(preprocess.text_columns) and not preprocess.text_template,
        "pair": preprocess.pair is not None,
        "chat": preprocess.chat is not None,
    }


def _strategy_problems(path: str, preprocess: Preprocess) -> Iterator[Problem]:
    slides = preprocess.strategy == "join-sliding-window"
    if slides and not 0 < preprocess.stride < preprocess.max_seq_len:
        message = f"join-sliding-window needs a stride from 1 to maxSeqLen - 1, which is {preprocess.max_seq_len - 1}"
        yield Problem(f"{path}.stride", message, "half of maxSeqLen is a good start")
    if preprocess.stride and not slides:
        message = f"has no meaning with strategy {preprocess.strategy}"
        yield Problem(f"{path}.stride", message, "leave it out, or set strategy: join-sliding-window")
    if preprocess.strategy == "packing" and not preprocess.use_attention_mask:
        message = "packing keeps rows apart by attention, which useAttentionMask: false would give up"
        yield Problem(f"{path}.useAttentionMask", message, "leave it out, or set strategy: join")
    if preprocess.strategy == "packing" and preprocess.padding_side == "left":
        yield Problem(f"{path}.paddingSide", "packed sequences are padded on the right", "leave it out")


def _template_problems(path: str, preprocess: Preprocess) -> Iterator[Problem]:
    try:
        columns = template_columns(preprocess.text_template)
    except ValueError as error:
        yield Problem(f"{path}.textTemplate", f"not a valid template: {error}", BRACES)
        return
    if not columns:
        yield Problem(f"{path}.textTemplate", "names no column", "write columns in single braces, such as {text}")
    yield from _column_problems(path, preprocess, columns)


def _column_problems(path: str, preprocess: Preprocess, columns: list[str]) -> Iterator[Problem]:
    for column in columns:
        if preprocess.text_columns and column not in preprocess.text_columns:
            message = f"names column {column!r}, which textColumns lacks: it has {', '.join(preprocess.text_columns)}"
            yield Problem(f"{path}.textTemplate", message, "add it, or leave textColumns out")
    if preprocess.answer_column and preprocess.answer_column not in columns:
        yield Problem(
            f"{path}.answerColumn",
            f"{preprocess.answer_column!r} is not a placeholder of textTemplate",
            f"use one of: {', '.join(columns)}",
        )


def has_answer(config: DataConfig) -> bool:
    """Whether a row has a prompt and an answer: a pair, a chat, an answerColumn, or a template with several columns."""
    preprocess = config.preprocess
    if preprocess.answer_column or preprocess.pair or preprocess.chat:
        return True
    try:
        return len(template_columns(preprocess.text_template)) > 1
    except ValueError:
        return False
