"""From rows to training sequences, with one tokenizer: the way that training and preview share."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_runner.data.chat import ChatTemplate
from finetune_runner.data.examples import Example, build_examples
from finetune_runner.data.sequences import TokenSequence, build_sequences, joins
from finetune_runner.data.statistics import Statistics
from finetune_runner.data.tokens import Encoded, Encoder
from finetune_runner.data.values import Row


def chat_template(preprocess: Preprocess, tokenizer: Any, path: str) -> ChatTemplate | None:
    """The template of conversations; None where rows are none.

    Raises:
        FineTuneError: InvalidSpec, there is no template.
    """
    if preprocess.chat is None:
        return None
    source = preprocess.chat.chat_template or tokenizer.chat_template
    if isinstance(source, dict):  # several, by name
        source = source.get("default")
    if not source:
        raise no_template(f"{path}.chat")
    return ChatTemplate(source, bos=tokenizer.bos_token or "", eos=tokenizer.eos_token or "", path=f"{path}.chat")


def no_template(path: str) -> FineTuneError:
    """That conversations can't be rendered. path: of the chat in the spec."""
    message = "the model's tokenizer has no chat template"
    remedy = "Set chatTemplate, or use a model that was made for chats."
    return FineTuneError(Reason.INVALID_SPEC, message, remedy=remedy, path=path)


def render(rows: Iterable[Row], preprocess: Preprocess, tokenizer: Any, path: str) -> Iterator[Example]:
    """The rows as text; path is where `preprocess` stands in the spec."""
    return build_examples(rows, preprocess, path, chat_template(preprocess, tokenizer, path))


def encoder_of(preprocess: Preprocess, tokenizer: Any) -> Encoder:
    return Encoder.of(tokenizer, preprocess.max_seq_len, preprocess.loss, special=preprocess.add_special_tokens)


def sequences(
    examples: Callable[[], Iterable[Example]], preprocess: Preprocess, tokenizer: Any, statistics: Statistics
) -> Iterator[TokenSequence]:
    """The training sequences, counted as they go through.

    Args:
        examples: goes through them from the beginning; called once.
        preprocess: says how.
        tokenizer: of transformers, or a FileTokenizer.
        statistics: counts.
    """
    encoder, whole = encoder_of(preprocess, tokenizer), joins(preprocess)

    def encoded() -> Iterator[Encoded]:
        return statistics.count_truncated(encoder.encode_all(examples(), whole=whole))

    made = build_sequences(encoded, preprocess, encoder.joiner(preprocess.joiner) if whole else [])
    return statistics.count_sequences(made)
