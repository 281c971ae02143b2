"""What figures are made from: taken from the model once, however many metrics need it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.evaluators import (
    AnswerMetric,
    Evaluator,
    KlMetric,
    LatencyMetric,
    LossMetric,
    PerplexityMetric,
)
from finetune_api.resource.plugin import MetricPlugin
from finetune_runner.data.examples import Example
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.contract import Report
from finetune_runner.passes.evaluation.answers import Answer, as_if_written, whole_answer
from finetune_runner.passes.evaluation.comparison import Comparison, compare, loss_of
from finetune_runner.passes.evaluation.latency import prompt_of
from finetune_runner.passes.evaluation.model_under_test import Loss, ModelUnderTest

COMPARABLE = "Compare with a pass of the same model family, or leave kl out of the evaluator."


@dataclass(frozen=True)
class Row:
    """What is measured on."""

    example: Example
    encoded: Encoded


@dataclass(frozen=True)
class Subject:
    """What is measured."""

    directory: Path
    """What the model was loaded from."""
    model: ModelUnderTest
    tokenizer: Any
    reference: ModelUnderTest | None = None
    """What it is compared with."""


class Measuring:
    """A model, the rows, and what was found of them so far."""

    def __init__(self, subject: Subject, rows: Sequence[Row], evaluator: Evaluator, report: Report) -> None:
        """Nothing is taken from the model yet.

        Args:
            subject: what is measured.
            rows: what it is measured on.
            evaluator: all that will be asked for.
            report: told of every batch.
        """
        self.directory = subject.directory
        self._model = subject.model
        self._reference = subject.reference
        self._tokenizer = subject.tokenizer
        self._rows = rows
        self._report = report
        configs = [metric.config for metric in evaluator.metrics]
        self._lengths = [c.max_new_tokens for c in configs if isinstance(c, (AnswerMetric, MetricPlugin))]
        scored = any(isinstance(config, (LossMetric, PerplexityMetric, KlMetric)) for config in configs)
        self._batches = [rows[at : at + evaluator.batch_size] for at in range(0, len(rows), evaluator.batch_size)]
        runs = sum(config.repeats + 1 for config in configs if isinstance(config, LatencyMetric))
        self._total = len(self._batches) * (bool(self._lengths) + scored) + runs
        self._done = 0

    @property
    def has_run(self) -> bool:
        """Whether anything was asked of the model: its size alone can be told without."""
        return self._done > 0

    def answers(self, max_new_tokens: int) -> list[Answer]:
        """Each row's outcome, with an answer of so many tokens at most."""
        examples = [row.example for row in self._rows]
        wanted = [as_if_written(example.completion, self._tokenizer) for example in examples]
        texts = [self._text(tokens[:max_new_tokens]) for tokens in self._written]
        return [whole_answer(e.prompt, right, text) for e, right, text in zip(examples, wanted, texts, strict=True)]

    def _text(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    @cached_property
    def losses(self) -> list[Loss]:
        """Each row's loss."""
        if self._reference:
            return [loss for loss, _ in self._compared]
        return [loss for batch in self._told() for loss in self._model.losses([row.encoded for row in batch])]

    @property
    def comparisons(self) -> list[Comparison]:
        """Each row's predictions beside the reference's.

        Raises:
            FineTuneError: ModelUnsupported, the vocabularies differ.
        """
        return [comparison for _, comparison in self._compared]

    @cached_property
    def _compared(self) -> list[tuple[Loss, Comparison]]:
        return [found for batch in self._told() for found in self._compare([row.encoded for row in batch])]

    def _compare(self, batch: Sequence[Encoded]) -> Iterator[tuple[Loss, Comparison]]:
        """Logits are given up row by row: of a large vocabulary a batch's alone may be gigabytes."""
        assert self._reference is not None  # noqa: S101  a metric that compares has one
        for row, theirs, ours in zip(batch, self._reference.logits(batch), self._model.logits(batch), strict=True):
            targets = [token for token, counted in zip(row.ids, row.counts, strict=True) if counted]
            try:
                yield loss_of(ours, targets), compare(theirs, ours)
            except ValueError as error:
                message = f"the model can't be compared: {error}"
                raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=COMPARABLE) from error

    @cached_property
    def _written(self) -> list[list[int]]:
        """Each row's tokens at the greatest length asked for: greedy, so that a shorter answer is their beginning."""
        longest = max(self._lengths)
        return [
            tokens
            for batch in self._told()
            for tokens in self._model.generate([row.encoded.prompt for row in batch], longest)
        ]

    def token_times(self, prompt_tokens: int, new_tokens: int, repeats: int) -> list[list[float]]:
        """Of each run, seconds from a prompt of the rows' tokens until each new token. A first run does not count.

        Raises:
            FineTuneError: InvalidSpec, the model can't read so many.
        """
        most = self._model.context_length
        if most is not None and prompt_tokens + new_tokens > most:
            message = f"{prompt_tokens} tokens and {new_tokens} new ones are more than the model's context of {most}"
            raise FineTuneError(Reason.INVALID_SPEC, message, remedy="Lower promptTokens.")
        prompt = prompt_of([row.encoded.ids for row in self._rows], prompt_tokens)
        runs = []
        for _ in range(repeats + 1):
            runs.append(self._model.token_times(prompt, new_tokens))
            self._tell()
        return runs[1:]

    def _told(self) -> Iterator[Sequence[Row]]:
        """The batches; each is reported once it has been dealt with."""
        for batch in self._batches:
            yield batch
            self._tell()

    def _tell(self) -> None:
        self._done += 1
        self._report(step=self._done, total_steps=self._total)
