"""What figures are made from: taken from the model once, however many metrics need it."""

from collections.abc import Sequence
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
from finetune_runner.passes.evaluation.comparison import Comparison
from finetune_runner.passes.evaluation.latency import prompt_of
from finetune_runner.passes.evaluation.model_under_test import Loss, ModelUnderTest
from finetune_runner.passes.evaluation.walk import Asked, Found, walk


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
        lengths = [c.max_new_tokens for c in configs if isinstance(c, (AnswerMetric, MetricPlugin))]
        scored = any(isinstance(config, (LossMetric, PerplexityMetric, KlMetric)) for config in configs)
        self._asked = Asked(new_tokens=max(lengths, default=0), loss=scored)
        self._batches = [rows[at : at + evaluator.batch_size] for at in range(0, len(rows), evaluator.batch_size)]
        runs = sum(config.repeats + 1 for config in configs if isinstance(config, LatencyMetric))
        self._total = len(self._batches) * bool(lengths or scored) + runs
        self._done = 0

    @property
    def has_run(self) -> bool:
        """Whether anything was asked of the model: its size alone can be told without."""
        return self._done > 0

    def answers(self, max_new_tokens: int) -> list[Answer]:
        """Each row's outcome, with an answer of so many tokens at most."""
        examples = [row.example for row in self._rows]
        wanted = [as_if_written(example.completion, self._tokenizer) for example in examples]
        texts = [self._text(found.written[:max_new_tokens]) for found in self._found]
        return [whole_answer(e.prompt, right, text) for e, right, text in zip(examples, wanted, texts, strict=True)]

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    @property
    def losses(self) -> list[Loss]:
        """Each row's loss."""
        return [found.loss for found in self._found if found.loss]

    @property
    def comparisons(self) -> list[Comparison]:
        """Each row's predictions beside the reference's.

        Raises:
            FineTuneError: ModelUnsupported, the vocabularies differ.
        """
        return [found.comparison for found in self._found if found.comparison]

    @cached_property
    def _found(self) -> list[Found]:
        """Of each row, all that is asked for; greedy, so that a shorter answer is the beginning of the longest."""
        found: list[Found] = []
        for batch in self._batches:
            found += walk(self._model, self._reference, [row.encoded for row in batch], self._asked)
            self._tell()
        return found

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

    def _tell(self) -> None:
        self._done += 1
        self._report(step=self._done, total_steps=self._total)
