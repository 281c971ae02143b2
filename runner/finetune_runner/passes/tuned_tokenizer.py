"""The tokenizer beside an adapter: all that is made of the adapter later has it from there."""

from typing import Any

from finetune_runner.data.end_mark import end_mark
from finetune_runner.data.file_tokenizer import CHAT_TEMPLATE
from finetune_runner.passes.contract import TRAIN_DATA, PassInputs
from finetune_runner.passes.end_tokens import write_end_mark
from finetune_runner.passes.model_files import carry_tokenizer


def save_tokenizer(tokenizer: Any, inputs: PassInputs, *, changed: bool) -> None:
    """The tokenizer, with the chat template that rows were rendered by and the mark that it ends answers with."""
    preprocess = inputs.data[TRAIN_DATA].config.preprocess
    mark = end_mark(preprocess, tokenizer, inputs.path)
    write_end_mark(inputs.source, inputs.output, mark, tokenizer.eos_token_id)
    if changed:
        tokenizer.save_pretrained(inputs.output)
    else:
        carry_tokenizer(inputs.source, inputs.output)
    if preprocess.chat and preprocess.chat.chat_template:
        (inputs.output / CHAT_TEMPLATE).write_text(preprocess.chat.chat_template, encoding="utf-8")
