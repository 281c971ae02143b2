"""An ONNX model under test, run by onnxruntime-genai as its users run it; with the adapter beside it, if any."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime_genai as og
import torch

from finetune_runner.artifact.runtime import provider_of
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.evaluation.model_under_test import Loss
from finetune_runner.passes.model_files import ONNX_ADAPTER

ADAPTER = "adapter"


class OnnxModel:
    """A loaded model; a batch's rows go one after the other, as onnxruntime-genai knows no mask of its own."""

    def __init__(self, directory: Path, stop: frozenset[int]) -> None:
        config = json.loads((directory / "genai_config.json").read_text(encoding="utf-8"))["model"]
        window = config["decoder"].get("sliding_window") or {}
        self.model = og.Model(str(directory))
        self.provider = provider_of(self.model)
        self.adapters = _adapters(self.model, directory / ONNX_ADAPTER)
        self.stop = stop
        self.context_length = int(config["context_length"])
        self.least_length = int(window.get("window_size") or 0)
        """The key-value cache must hold a sliding window, however short the text."""

    def losses(self, batch: Sequence[Encoded]) -> list[Loss]:
        return [self._loss(encoded) for encoded in batch]

    def generate(self, prompts: Sequence[list[int]], max_new_tokens: int) -> list[list[int]]:
        return [self._generate(prompt, max_new_tokens) for prompt in prompts]

    def token_times(self, prompt: list[int], new_tokens: int) -> list[float]:
        begin, times = perf_counter(), list[float]()
        generator = self._generator(prompt, new_tokens, least=len(prompt) + new_tokens)
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
        return self._generator(encoded.ids, 1).get_output("logits")[0][at - 1]

    def _loss(self, encoded: Encoded) -> Loss:
        chosen = self._logits(encoded).astype(np.float64)
        targets = np.array(encoded.ids)[np.flatnonzero(encoded.counts)]
        peak = chosen.max(axis=-1)
        normaliser = peak + np.log(np.exp(chosen - peak[:, None]).sum(axis=-1))
        likelihoods = chosen[np.arange(len(targets)), targets] - normaliser
        return Loss(total=-float(likelihoods.sum()), tokens=len(targets))

    def _generate(self, prompt: list[int], max_new_tokens: int) -> list[int]:
        generator = self._generator(prompt, max_new_tokens)
        tokens: list[int] = []
        while len(tokens) < max_new_tokens and not generator.is_done():
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            if token in self.stop:
                break
            tokens.append(token)
        return tokens

    def _generator(self, tokens: list[int], room: int, *, least: int = 0) -> Any:
        """A generator that has read the tokens; the sequence does not end before it has `least` of them."""
        length = min(max(len(tokens) + room, self.least_length), self.context_length)
        parameters = og.GeneratorParams(self.model)
        parameters.set_search_options(do_sample=False, max_length=length, min_length=least)
        generator = og.Generator(self.model, parameters)
        if self.adapters:
            generator.set_active_adapter(self.adapters, ADAPTER)
        generator.append_tokens(np.array(tokens, dtype=np.int32))
        return generator


def _adapters(model: Any, file: Path) -> Any:
    """The adapter in a file, to be set active; None where there is no such file."""
    if not file.is_file():
        return None
    adapters = og.Adapters(model)
    adapters.load(str(file), ADAPTER)
    return adapters
