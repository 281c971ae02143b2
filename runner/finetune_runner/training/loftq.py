"""LoftQ: 4-bit weights, and an adapter that starts from what they miss.

Our own loop, since peft's needs a GPU and forgets the adapter's scaling. An adapter that starts elsewhere than at zero
belongs to a changed base; saved is therefore what training changed, which belongs to the base that the user has.
"""

import math
from typing import Any

import bitsandbytes as bnb
import torch
from peft.tuners.lora import LoraLayer
from torch import nn

ADAPTER = "default"
QUANT_TYPE = "nf4"

Factors = dict[str, torch.Tensor]
"""A layer's full name with .lora_A or .lora_B to that factor."""


def start_from_residual(model: Any, original: nn.Module, rounds: int) -> Factors:
    """Gives each 4-bit layer with an adapter new 4-bit weights Q and factors B·A, so that Q + B·A is near the original.

    Args:
        model: a peft model, on its device, with its base in 4 bits.
        original: the same base in full precision.
        rounds: of quantising and fitting.

    Returns:
        Copies of the factors that training starts from.
    """
    start: Factors = {}
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer) and isinstance(layer.get_base_layer(), bnb.nn.Linear4bit):
            weight = original.get_parameter(f"{name.removeprefix('base_model.model.')}.weight")
            _start_layer(layer, weight.detach(), rounds)
            for factor in ("lora_A", "lora_B"):
                start[f"{name}.{factor}"] = getattr(layer, factor)[ADAPTER].weight.detach().cpu().clone()
    return start


def as_change(weights: dict[str, torch.Tensor], start: Factors, config: Any) -> dict[str, torch.Tensor]:
    """The adapter's weights with the start subtracted: B·A - B₀·A₀ = [B, -B₀]·[A; A₀], which has rank 2r.

    Args:
        weights: the adapter's state dict. Layers that were not started from a residual get zeros for A₀ and B₀.
        start: of start_from_residual.
        config: the adapter's LoraConfig, changed to say the new rank with the same scaling.
    """
    scaling = config.lora_alpha / (math.sqrt(config.r) if config.use_rslora else config.r)
    config.r *= 2
    config.lora_alpha = scaling * (math.sqrt(config.r) if config.use_rslora else config.r)
    return {name: _widened(name, weight, start) for name, weight in weights.items()}


def _start_layer(layer: Any, weight: torch.Tensor, rounds: int) -> None:
    """Sets a layer's 4-bit weights and factors; its scaling is divided out of them."""
    base, rank = layer.get_base_layer(), layer.r[ADAPTER]
    exact = weight.to(base.weight.device, torch.float32)
    product = torch.zeros_like(exact)
    for _ in range(rounds):
        quantised = _quantised(exact - product, base)
        high, low = _low_rank(exact - _dequantised(quantised), rank)
        product = high @ low
    base.weight = quantised
    root = math.sqrt(layer.scaling[ADAPTER])
    layer.lora_A[ADAPTER].weight.data.copy_(low / root)
    layer.lora_B[ADAPTER].weight.data.copy_(high / root)


def _quantised(weight: torch.Tensor, like: Any) -> Any:
    parameter = bnb.nn.Params4bit(
        weight.to(like.compute_dtype or weight.dtype).cpu(),
        requires_grad=False,
        compress_statistics=False,
        quant_type=QUANT_TYPE,
        module=like,
    )
    return parameter.to(like.weight.device)


def _dequantised(parameter: Any) -> torch.Tensor:
    weight: torch.Tensor = bnb.functional.dequantize_4bit(parameter.data, parameter.quant_state)
    return weight.float()


def _low_rank(matrix: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[out, rank] and [rank, in], whose product is the nearest to `matrix` of that rank; padded by zeros."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = min(rank, len(values))
    roots = values[:kept].sqrt()
    high, low = left[:, :kept] * roots, roots[:, None] * right[:kept]
    missing = rank - kept
    return nn.functional.pad(high, (0, missing)), nn.functional.pad(low, (0, 0, 0, missing))


def _widened(name: str, weight: torch.Tensor, start: Factors) -> torch.Tensor:
    layer = name.removesuffix(".weight")
    if layer.endswith(".lora_A"):
        return torch.cat([weight, start[layer].to(weight) if layer in start else torch.zeros_like(weight)], dim=0)
    if layer.endswith(".lora_B"):
        return torch.cat([weight, -start[layer].to(weight) if layer in start else torch.zeros_like(weight)], dim=1)
    return weight
