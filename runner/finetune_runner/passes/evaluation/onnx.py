"""An ONNX model under test, run by onnxruntime-genai as its users run it; with the adapter beside it, if any."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from finetune_runner.artifact.runtime import Runtime
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.evaluation.model_under_test import Loss


class OnnxModel:
    """A loaded model; a batch's rows go one after the other, as onnxruntime-genai knows no mask of its own."""

    def __init__(self, directory: Path, stop: frozenset[int], adapter: str = "") -> None:
        self._runtime = Runtime(directory, stop, adapter)
        self.provider = self._runtime.provider
        self.context_length = self._runtime.context_length

    def losses(self, batch: Sequence[Encoded]) -> list[Loss]:
        return [self._loss(encoded) for encoded in batch]

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
        return (torch.from_numpy(self._logits(encoded)) for encoded in batch)

    def _logits(self, encoded: Encoded) -> Any:
        """What each token that counts is predicted by."""
        at = np.flatnonzero(encoded.counts)
        return self._runtime.generator(encoded.ids, 1).get_output("logits")[0][at - 1]

    def _loss(self, encoded: Encoded) -> Loss:
        chosen = self._logits(encoded).astype(np.float64)
        targets = np.array(encoded.ids)[np.flatnonzero(encoded.counts)]
        peak = chosen.max(axis=-1)
        normaliser = peak + np.log(np.exp(chosen - peak[:, None]).sum(axis=-1))
        likelihoods = chosen[np.arange(len(targets)), targets] - normaliser
        return Loss(total=-float(likelihoods.sum()), tokens=len(targets))
