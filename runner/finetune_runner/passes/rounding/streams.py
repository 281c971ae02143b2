"""Modules that calibration rows pass twice at once: as the model has them, and rounded as they come to them.

The rows are there twice along the first axis, first those of the exact stream, which has passed exact modules only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from finetune_runner.passes.rounding.gptq import Calibration, calibration, rounded_by_gptq
from finetune_runner.passes.rounding.matrix import Form, restored


@contextmanager
def both_streams(module: Any, rounded: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Within it, a module takes rows that are there twice: the first with its own weight, the others with it rounded.

    Args:
        module: a linear layer or an embedding.
        rounded: gives the rounded weight, by all that the module is given.
    """
    module.forward = _Forward(module, rounded)
    try:
        yield
    finally:
        del module.forward  # and what it was calibrated by


class _Forward:
    """The forward pass of such a module."""

    def __init__(self, module: Any, rounded: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._module, self._rounded = module, rounded
        self._forward = module.forward

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        exact, rounded = inputs.chunk(2)
        said = self._forward(exact)
        both: torch.Tensor = said.new_empty((2 * said.shape[0], *said.shape[1:]))
        both[: said.shape[0]] = said
        del said
        self._module.weight.data = self._rounded(inputs)
        both[both.shape[0] // 2 :] = self._forward(rounded)
        return both


class RoundedRows:
    """An embedding's weight, of which those tokens are rounded, in place, that are there."""

    def __init__(self, embedding: nn.Embedding, form: Form) -> None:
        self._embedding, self._form = embedding, form

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        tokens, weight = torch.unique(ids), self._embedding.weight.data
        rows = weight[tokens]
        values = restored(lambda start, end: rows[start:end].numpy(), (rows.shape[0], rows.shape[1]), self._form)
        return weight.index_copy_(0, tokens, torch.from_numpy(values))


class Calibrations:
    """Calibrations by what products of a layer are given, which is the same for some that follow each other."""

    def __init__(self, mask: torch.Tensor) -> None:
        self._tokens = mask.reshape(-1)
        self._last: tuple[torch.Tensor, Calibration] | None = None

    def by(self, inputs: torch.Tensor) -> Calibration:
        if self._last is None or self._last[0] is not inputs:
            exact, rounded = (half.reshape(-1, half.shape[-1])[self._tokens] for half in inputs.chunk(2))
            self._last = inputs, calibration(exact, rounded)
        return self._last[1]


class ByGptq:
    """A product's weight, rounded by what it is given."""

    def __init__(self, product: nn.Linear, calibrations: Calibrations, block_size: int) -> None:
        self._product, self._calibrations, self._block_size = product, calibrations, block_size

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        return rounded_by_gptq(self._product.weight.data, self._calibrations.by(inputs), self._block_size)
