"""The base as a qlora adapter saw it while it was trained: rounded to 4 bits and back."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import bitsandbytes as bnb
import torch
from pydantic import Field

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.base import Model

NAME = "quantised_base.json"
"""Beside the adapter."""
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class AsSeen(Model):
    """How the base's layers were kept, by bitsandbytes."""

    quant_type: Literal["nf4", "fp4"]
    double_quant: bool
    block_size: int = Field(ge=1)
    """Weights with a scale in common."""
    dtype: Literal["float32", "float16", "bfloat16"]
    """Type that the weights were rounded from, and dequantised to."""
    layers: list[str]
    """Full names of the layers."""

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.layers)

    def weight(self, stored: torch.Tensor) -> torch.Tensor:
        """A layer's weight as it was computed with.

        Args:
            stored: the base's.
        """
        quantised, state = bnb.functional.quantize_4bit(
            stored.to(DTYPES[self.dtype]),
            blocksize=self.block_size,
            compress_statistics=self.double_quant,
            quant_type=self.quant_type,
        )
        weight: torch.Tensor = bnb.functional.dequantize_4bit(quantised, state)
        return weight.reshape(stored.shape)


def write_as_seen(directory: Path, modules: Iterable[tuple[str, Any]]) -> None:
    """Writes what there is to say of a base's layers in 4 bits.

    Args:
        directory: of the adapter.
        modules: all of the base, by their names there.
    """
    layers = {name: module.weight.quant_state for name, module in modules if isinstance(module, bnb.nn.Linear4bit)}
    if not layers:
        return
    state = next(iter(layers.values()))
    told = AsSeen(
        quant_type=state.quant_type,
        double_quant=state.nested,
        block_size=state.blocksize,
        dtype=str(state.dtype).removeprefix("torch."),
        layers=list(layers),
    )
    (directory / NAME).write_text(told.model_dump_json(by_alias=True, indent=2) + "\n", encoding="utf-8")


def read_as_seen(directory: Path, path: str) -> AsSeen:
    """What write_as_seen has written.

    Args:
        directory: of the adapter.
        path: where the pass stands in the spec.

    Raises:
        FineTuneError: InvalidSpec, the adapter was not trained beside a base in 4 bits.
    """
    file = directory / NAME
    if not file.is_file():
        raise FineTuneError(
            Reason.INVALID_SPEC,
            f"the adapter has no {NAME}: it was not trained beside a base in 4 bits by a qlora pass",
            remedy="Leave mergeBase out.",
            path=f"{path}.mergeBase",
        )
    return AsSeen.model_validate_json(file.read_bytes())
