"""Splits what onnxruntime-genai's builder makes of a model with a LoRA adapter into a base and an adapter file.

The builder writes the adapter's factors (B scaled by alpha / r) as weights of the graph, and rounds them as all others.
Here their products are kept out of rounding, and the factors become inputs of the graph whose default is zero: the base
alone, until a file of factors is loaded over it (onnxruntime's LoraAdapter, onnxruntime-genai's Adapters).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from onnxruntime import AdapterFormat, OrtValue

MODEL = "model.onnx"
DATA = "model.onnx.data"
FACTORS = ("lora_A", "lora_B")
RANK = "lora_rank"
"""The dimension of the factors that may differ from adapter to adapter."""


class LoraProducts:
    """The products with an adapter's factors that the builder has put into its graph."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        """Their names. Each part of a packed layer, such as qkv_proj, has two of its own."""
        self._missing: dict[int, str] = {}

    @contextmanager
    def watched(self, builder: Any) -> Iterator[None]:
        """Within it, the products of models that are built are noted, and kept out of rounding.

        Args:
            builder: onnxruntime_genai.models.builders.base.Model.
        """
        make_matmul_lora, load_weights = builder.make_matmul_lora, builder.load_weights

        def noted(model: Any, layer: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            self._missing.pop(id(layer.lora_A.default), None)
            place, _, last = name.rpartition("/")
            for node in (f"{place}/{factor}/{last}" for factor in FACTORS):
                model.exclude_node_from_quantization(node)
                self.nodes.append(node)
            return make_matmul_lora(model, layer, name, *args, **kwargs)

        def loaded(model: Any, path: str) -> Any:
            weights = load_weights(model, path)
            layers = ((name, layer) for name, layer in weights.named_modules() if hasattr(layer, "lora_A"))
            self._missing = {id(layer.lora_A.default): name for name, layer in layers}
            return weights

        builder.make_matmul_lora, builder.load_weights = noted, loaded
        try:
            yield
        finally:
            builder.make_matmul_lora, builder.load_weights = make_matmul_lora, load_weights

    def check(self) -> None:
        """That no layer's adapter was left out.

        Raises:
            ValueError: the builder has no place for one.
        """
        if self._missing or not self.nodes:
            layers = ", ".join(self._missing.values()) or "all of them"
            msg = f"the builder leaves out the adapter of {layers}: leave it out of targetModules, or merge the adapter"
            raise ValueError(msg)


def split(directory: Path, nodes: list[str], adapter: Path) -> None:
    """Makes the factors inputs of the graph, and writes them into a file of their own.

    Args:
        directory: with model.onnx and its data, which are written anew.
        nodes: the products with a factor.
        adapter: the .onnx_adapter file to write.
    """
    model = ir.load(directory / MODEL)
    wanted = set(nodes)
    factors = dict(_made_input(model.graph, node) for node in model.graph if node.name in wanted)
    _write(factors, adapter)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        ir.save(model, Path(scratch) / MODEL, external_data=DATA, size_threshold_bytes=0)
        for name in (DATA, MODEL):
            (Path(scratch) / name).replace(directory / name)


def _made_input(graph: ir.Graph, product: ir.Node) -> tuple[str, OrtValue]:
    """Makes a product's factor an input, zero and of rank 1 unless given; returns its name and what it was."""
    weight, output = product.inputs[1], product.outputs[0]
    factor = _ort_value(weight.const_value)
    is_first = f"/{FACTORS[0]}/" in product.name
    size = weight.shape[0 if is_first else 1]
    nothing, shape = ((size, 1), (size, RANK)) if is_first else ((1, size), (RANK, size))
    weight.const_value = ir.tensor(np.zeros(nothing, weight.dtype.numpy()), name=weight.name)
    weight.shape = ir.Shape(shape)
    if is_first:
        output.shape = ir.Shape([*output.shape[:-1], RANK])
    graph.inputs.append(weight)
    return weight.name, factor


def _write(factors: dict[str, OrtValue], file: Path) -> None:
    adapter = AdapterFormat()
    adapter.set_adapter_version(1)
    adapter.set_model_version(1)
    adapter.set_parameters(dict(sorted(factors.items())))
    adapter.export_adapter(str(file))


def _ort_value(tensor: ir.TensorProtocol) -> OrtValue:
    """Bfloat16 is none of numpy's own types, so it is handed over as its bits."""
    values = np.ascontiguousarray(tensor.numpy())
    if tensor.dtype is ir.DataType.BFLOAT16:
        return OrtValue.ortvalue_from_numpy_with_onnx_type(values.view(np.uint16), tensor.dtype.value)
    return OrtValue.ortvalue_from_numpy(values)
