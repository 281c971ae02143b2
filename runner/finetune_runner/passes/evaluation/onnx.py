"""An ONNX model under test, run by onnxruntime-genai as its users run it; with the adapter beside it, if any."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from finetune_runner.artifact.runtime import Runtime
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.evaluation.comparison import loss_of
from finetune_runner.passes.evaluation.model_under_test import Loss, up_to_stop


class OnnxModel:
    """A loaded model; a batch's rows go one after the other, as onnxruntime-genai knows no mask of its own."""

    def __init__(self, directory: Path, stop: frozenset[int], adapter: str = "") -> None:
        self._runtime = Runtime(directory, stop, adapter)
        self._stop = stop
        self.provider = self._runtime.provider
        self.context_length = self._runtime.context_length

    def losses(self, batch: Sequence[Encoded]) -> list[Loss]:
        return [loss_of(self._logits(row), row.targets) for row in batch]

    def generate(self, prompts: Sequence[list[int]], max_new_tokens: int) -> list[list[int]]:
        return [[*self._runtime.answer(prompt, max_new_tokens)] for prompt in prompts]

    def token_times(self, prompt: list[int], new_tokens: int) -> list[float]:
        begin, times = perf_counter(), list[float]()
        generator = self._runtime.generator(prompt, new_tokens, at_least=new_tokens)
        for _ in range(new_tokens):
            generator.generate_next_token()
            generator.get_next_tokens()
            times.append(perf_counter() - begin)
        return times

    def logits(self, batch: Sequence[Encoded]) -> Iterator[torch.Tensor]:
        return (self._logits(row) for row in batch)

    def answers_and_logits(
        self, batch: Sequence[Encoded], max_new_tokens: int
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """A row whose answer is the expected one goes through the model once.

        What it chooses by is what is asked for, as long as it has written what is expected.
        """
        for row in batch:
            written, chosen_by = list[int](), list[torch.Tensor]()
            for token, logits in self._runtime.choices(row.prompt, max_new_tokens):
                if written == row.completion[: len(written)]:
                    chosen_by.append(torch.from_numpy(logits).flatten())
                written.append(token)
            at = [position - row.completion_start for position, counted in enumerate(row.counts) if counted]
            known = bool(at) and at[0] >= 0 and at[-1] < len(chosen_by)
            logits = torch.stack([chosen_by[each] for each in at]) if known else self._logits(row)
            yield up_to_stop(written, self._stop), logits

    def _logits(self, row: Encoded) -> torch.Tensor:
        """What each token that counts is predicted by."""
        at = np.flatnonzero(row.counts)
        logits = self._runtime.generator(row.ids, 1).get_output("logits")[0]
        if len(logits) == len(row.ids):
            return torch.from_numpy(logits[at - 1])
        return torch.cat([torch.from_numpy(logits[:0]), *self._one_by_one(row)])

    def _one_by_one(self, row: Encoded) -> Iterator[torch.Tensor]:
        """The same of a graph that tells of the last token only of those it reads (prune_lm_head)."""
        start = row.counts.index(True) if any(row.counts) else len(row.ids)
        generator = self._runtime.generator(row.ids[:start], len(row.ids) - start)
        for token, counted in zip(row.ids[start:], row.counts[start:], strict=True):
            if counted:
                yield torch.from_numpy(generator.get_logits()).reshape(1, -1)
            generator.append_tokens([token])
