"""A transformers model whose linear layers say what an export's rounded ones will: rounded, and made floats again."""

from typing import Any

import numpy as np
import torch
from torch import nn

from finetune_api.resource.exports import Export
from finetune_runner.passes.rounding.matrix import Form, restored
from finetune_runner.passes.rounding.methods import rounding_by

BYTE = 8
MORE_BITS = ("_last", "_mixed", "_linear")
"""Ends of the algorithms that keep the head in eight bits."""
SENSITIVE = ("qkv_proj", "v_proj", "down_proj")
"""Layers that …_mixed keeps in eight bits, in some blocks."""


@torch.no_grad()
def round_linear_layers(model: Any, export: Export) -> None:
    """Rounds the weights of all linear layers as an export would, in place.

    Where embedding and head are one, the embedding is rounded with it, as in the export. What an export keeps in more
    bits for hybrid models only (…_linear) and nodes that it leaves out by name are rounded as all others.

    Args:
        model: a causal language model of transformers.
        export: precision, algorithm and block size.
    """
    count = model.config.get_text_config().num_hidden_layers
    head = model.get_output_embeddings()
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            form = form_of(export, bits_of(export, name, count, is_head=layer is head))
            weight = layer.weight.data
            values = restored(_rows(weight), (weight.shape[0], weight.shape[1]), form)
            weight.copy_(torch.from_numpy(values))


def form_of(export: Export, bits: int) -> Form:
    """How an export rounds a matrix."""
    method = "rtn" if export.algorithm.startswith(("rtn", "default")) else "k_quant"
    symmetric = method == "rtn" and export.is_symmetric is not False
    return Form(
        rounding=rounding_by(method, symmetric=symmetric),
        bits=bits,
        block_size=export.block_size,
        scale_type=np.float32,
        keeps_zero_points=not symmetric,
    )


def bits_of(export: Export, name: str, count: int, *, is_head: bool) -> int:
    """Bits of a layer's weights: 4 or 8.

    Args:
        export: precision and algorithm.
        name: of the layer, such as model.layers.3.mlp.down_proj.
        count: blocks of the model.
        is_head: whether it is the output head.
    """
    if export.precision == "int8" or (is_head and export.algorithm.endswith(MORE_BITS)):
        return BYTE
    parts = name.split(".")
    block = next((int(part) for part in parts if part.isdigit()), None)
    is_mixed = export.algorithm.endswith("_mixed") and parts[-1] in SENSITIVE
    return BYTE if is_mixed and block is not None and _is_sensitive(block, count) else BYTE // 2


def _is_sensitive(block: int, count: int) -> bool:
    """As the builder has it from llama.cpp (make_matmul_mixed_precision): both ends, and every third between."""
    return block < count / 8 or block >= 7 * count / 8 or (block - round(count / 8)) % 3 == 2  # noqa: PLR2004


def _rows(weight: torch.Tensor) -> Any:
    def read(start: int, end: int) -> Any:
        return weight[start:end].float().cpu().numpy()

    return read
