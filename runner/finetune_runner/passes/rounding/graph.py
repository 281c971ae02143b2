"""Has onnxruntime-genai's builder round its matrices here, each as it is written.

The builder would make a second copy of the whole graph, with all weights in it, before it rounds the first. Here a
product (MatMul) becomes one with rounded weights (MatMulNBits) that do not exist yet: they are made when the file is
written, one matrix after the other, from the weights as the checkpoint has them, which lie in mapped files.
Names and attributes are those that onnxruntime's quantiser would give, since other nodes refer to them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from onnx_ir.tensor_adapters import TorchTensor

from finetune_runner.passes.rounding.blocks import Array, on_grid
from finetune_runner.passes.rounding.mapped import page_out
from finetune_runner.passes.rounding.matrix import NIBBLE, Form, rounded
from finetune_runner.passes.rounding.methods import rounding_by

DOMAIN = "com.microsoft"
RANK = 2
ROUNDED_HERE = ("rtn", "k_quant")


@contextmanager
def rounding(builder: Any, *, keeps_grid: bool = False) -> Iterator[None]:
    """Within it, models that are built round their matrices here, where they are rounded by rtn or k_quant.

    Args:
        builder: onnxruntime_genai.models.builders.base.Model.
        keeps_grid: weights that lie on a grid of four bits stay as they are.
    """
    make_initializer, to_nbits = builder.make_initializer, builder.to_nbits
    weights: dict[str, torch.Tensor] = {}

    def noted(model: Any, tensor: Any, /, name: str, **how: Any) -> None:
        if isinstance(tensor, torch.Tensor) and tensor.dim() == RANK:
            weights[name] = tensor.detach()
        make_initializer(model, tensor, name, **how)

    def replaced(model: Any) -> ir.Model:
        if not _is_rounded_here(model):
            return to_nbits(model)
        _round_products(model, weights, keeps_grid=keeps_grid)
        return model.model

    builder.make_initializer, builder.to_nbits = noted, replaced
    try:
        yield
    finally:
        builder.make_initializer, builder.to_nbits = make_initializer, to_nbits


def _is_rounded_here(model: Any) -> bool:
    """Not where the builder rounds by other methods, into other operators, or for one kind of GPU only."""
    others = model.quant_attrs["use_qdq"] or model.matmul_attrs["weights_prepacked"] or model.exact_quant_override_names
    return model.quantization_algo in ROUNDED_HERE and not others


def _round_products(model: Any, weights: dict[str, torch.Tensor], *, keeps_grid: bool) -> None:
    """Replaces the products of a builder's graph whose weights are to be rounded."""
    excluded = set(model.quant_attrs["nodes_to_exclude"])
    products = [
        node
        for node in model.model.graph
        if node.op_type == "MatMul" and node.name not in excluded and node.inputs[1].name in weights
    ]
    for number, product in enumerate(products, start=1):
        weight = product.inputs[1]
        form = _form(model, product.name, weight.dtype.numpy(), keeps_grid=keeps_grid)
        matrix = _Matrix(weights[weight.name].T, form, 100 * number / len(products))
        _replace(model, product, matrix)
    model.model.opset_imports.setdefault(DOMAIN, 1)


def _form(model: Any, product: str, scale_type: np.dtype[Any], *, keeps_grid: bool) -> Form:
    """How a product's weights are rounded: some algorithms have eight bits for some products."""
    settings = model.quant_attrs
    symmetric = model.quantization_algo == "rtn" and settings["is_symmetric"]
    bits = model.int4_customized_weight_config.get(product, {}).get("bits", settings["bits"])
    is_on_grid = keeps_grid and bits == NIBBLE
    return Form(
        rounding=on_grid if is_on_grid else rounding_by(model.quantization_algo, symmetric=symmetric),
        bits=bits,
        block_size=settings["matmul_block_size"],
        scale_type=scale_type,
        keeps_zero_points=not symmetric,
    )


class _Matrix:
    """A matrix that is rounded when the first of its parts is asked for, and forgotten when all have been."""

    def __init__(self, weights: torch.Tensor, form: Form, percent: float) -> None:
        self._weights = weights
        self.form = form
        self._percent = percent
        self._parts: dict[str, Array] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs of the product."""
        rows, columns = self._weights.shape
        return rows, columns

    def part(self, name: str) -> ir.TensorProtocol:
        """One of weights, scales and zero_points."""
        if name not in self._parts:
            self._parts = rounded(self._rows, self.shape, self.form)
            page_out(self._weights)
            print(f"Progress: [] {self._percent:.1f}%", flush=True)  # noqa: T201 (the parent reads it)
        return ir.tensor(self._parts.pop(name))

    def _rows(self, start: int, end: int) -> Array:
        # Not by torch, which would start threads of its own in each of those that call this.
        rows: Array = TorchTensor(self._weights[start:end]).numpy().astype(np.float32)
        return rows


def _replace(model: Any, product: ir.Node, matrix: _Matrix) -> None:
    """Puts a product with rounded weights in another's place."""
    graph, weight = model.model.graph, product.inputs[1]
    form, (rows, columns) = matrix.form, matrix.shape
    attributes = {"K": columns, "N": rows, "bits": form.bits, "block_size": form.block_size}
    if accuracy_level := model.quant_attrs["accuracy_level"]:
        attributes["accuracy_level"] = accuracy_level
    new = ir.node(
        "MatMulNBits",
        [product.inputs[0], *_initializers(model, weight.name, matrix)],
        attributes,
        domain=DOMAIN,
        name=f"{product.name}_Q{form.bits}",
    )
    ir.convenience.replace_nodes_and_values(graph, product, [product], [new], product.outputs, new.outputs)
    if not weight.uses():
        del graph.initializers[weight.name]


def _initializers(model: Any, weight: str, matrix: _Matrix) -> Iterator[ir.Value]:
    """The rounded parts as weights of the graph, in the order in which MatMulNBits takes them.

    Where embedding and head are one, the embedding's nodes have taken these values by their names already.
    """
    names = {
        "weights": f"{weight}_Q{matrix.form.bits}G{matrix.form.block_size}",
        "scales": f"{weight}_scale",
        "zero_points": f"{weight}_zp",
    }
    types = matrix.form.types()
    for part, shape in matrix.form.shapes(matrix.shape).items():
        tensor = ir.LazyTensor(
            partial(matrix.part, part),
            dtype=ir.DataType.from_numpy(np.dtype(types[part])),
            shape=ir.Shape(shape),
            name=names[part],
        )
        value = model.make_value(tensor.name, tensor.dtype, tensor.shape)
        value.const_value = tensor
        model.model.graph.register_initializer(value)
        yield value
