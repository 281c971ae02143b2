"""What a chat's template ends an answer with, which the model learns to write, and whoever runs it must stop at."""

from typing import Any

from finetune_api.failures import FineTuneError
from finetune_api.resource.data import Preprocess
from finetune_runner.data.chat import ASSISTANT
from finetune_runner.data.rendering import chat_template

PROBE = "probe"
CONVERSATION = [{"role": "user", "content": PROBE}, {"role": ASSISTANT, "content": PROBE}]


def end_mark(preprocess: Preprocess, tokenizer: Any, path: str) -> int | None:
    """The special token right behind an answer, such as <|im_end|>; None where rows are no chats or have no such mark.

    Args:
        preprocess: how rows become text.
        tokenizer: of transformers.
        path: where `preprocess` stands in the spec.
    """
    template = chat_template(preprocess, tokenizer, path)
    if template is None:
        return None
    try:
        *_, (answer, _) = template.texts(CONVERSATION)
    except (ValueError, TypeError, FineTuneError):  # a template for other conversations: nothing is known of its marks
        return None
    _, found, behind = answer.rpartition(PROBE)
    ids = tokenizer(behind, add_special_tokens=False)["input_ids"] if found and behind else []
    token = tokenizer.added_tokens_decoder.get(ids[0]) if ids else None
    return int(ids[0]) if token is not None and token.special else None
