"""Splits what onnxruntime-genai's builder makes of a model with a LoRA adapter into a base and adapter files.

The builder writes the adapter's factors (B scaled by alpha / r) as weights of the graph, and rounds them as all others.
Here their products are kept out of rounding, and the factors become inputs of the graph whose default is zero: the base
alone, until a file of factors is loaded over it (onnxruntime's LoraAdapter, onnxruntime-genai's Adapters). Factors of
further adapters on the same layers are read beside those, and go into files without a graph being built for them.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from onnxruntime import AdapterFormat, OrtValue

from finetune_runner.artifact.adapters import adapter_file

MODEL = "model.onnx"
DATA = "model.onnx.data"
FACTORS = ("lora_A", "lora_B")
RANK = "lora_rank"
"""The dimension of the factors that may differ from adapter to adapter."""
IN_PEFT = "further{}"
"""What peft calls a further adapter: not every name of a pass can be a member of a torch module."""


class LoraProducts:
    """The products with an adapter's factors that the builder has put into its graph."""

    def __init__(self, further: Mapping[str, str]) -> None:
        """Before anything is built.

        Args:
            further: name to directory of adapters on the same layers as the one that the builder is given.
        """
        self.nodes: list[str] = []
        """Their names. Each part of a packed layer, such as qkv_proj, has two of its own."""
        self.further: dict[str, dict[str, Any]] = {name: {} for name in further}
        """Name of each further adapter to its factors, by product: [out, in] as in torch, B scaled."""
        self._directories = further
        self._missing: dict[int, str] = {}
        self._tuned: dict[int, _TunedLayer] = {}

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
            nodes = [f"{place}/{factor}/{last}" for factor in FACTORS]
            for node in nodes:
                model.exclude_node_from_quantization(node)
                self.nodes.append(node)
            self._note_further(layer, nodes)
            return make_matmul_lora(model, layer, name, *args, **kwargs)

        def loaded(model: Any, path: str) -> Any:
            weights = load_weights(model, path)
            for name, directory in self._directories.items():
                weights.load_adapter(directory, adapter_name=IN_PEFT.format(list(self._directories).index(name)))
            layers = {name: layer for name, layer in weights.named_modules() if hasattr(layer, "lora_A")}
            self._missing = {id(layer.lora_A.default): name for name, layer in layers.items()}
            self._tuned = {
                id(layer.lora_A.default): _tuned_layer(layer, self._directories) for layer in layers.values()
            }
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
        if any(found.keys() != set(self.nodes) for found in self.further.values()):
            msg = "the builder loads this architecture by itself, with one adapter: export each by a pass of its own"
            raise ValueError(msg)

    def _note_further(self, layer: Any, nodes: list[str]) -> None:
        """The factors of further adapters at two products: all of A, and of B the rows that are this layer's."""
        tuned = self._tuned.get(id(layer.lora_A.default))
        if tuned is None:
            return
        part, whole = layer.lora_B.default.weight, tuned.second
        first = (part.storage_offset() - whole.storage_offset()) // whole.stride(0)
        for name, (a, b) in tuned.further.items():
            self.further[name] |= zip(nodes, (a, b[first : first + part.shape[0]]), strict=True)


def split(directory: Path, products: LoraProducts, name: str) -> None:
    """Makes the factors inputs of the graph, and writes those of each adapter into a file of their own.

    Args:
        directory: with model.onnx and its data, which are written anew; the files go beside them.
        products: those with a factor, and further adapters' factors.
        name: of the adapter that the builder was given.
    """
    model = ir.load(directory / MODEL)
    wanted = set(products.nodes)
    factors = {node.name: _made_input(model.graph, node) for node in model.graph if node.name in wanted}
    _write({factor.name: _ort_value(factor) for factor in factors.values()}, directory / adapter_file(name))
    for other, given in products.further.items():
        alike = {factor.name: _ort_value(_alike(factor, given[node])) for node, factor in factors.items()}
        _write(alike, directory / adapter_file(other))
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        ir.save(model, Path(scratch) / MODEL, external_data=DATA, size_threshold_bytes=0)
        for file in (DATA, MODEL):
            (Path(scratch) / file).replace(directory / file)


@dataclass(frozen=True)
class _TunedLayer:
    """A layer with adapters, without its own weight, which the builder gives up as it goes."""

    adapter: Any
    """Kept, since the layer is known by its id."""
    second: Any
    """Factor B of the adapter that the builder is given."""
    further: dict[str, tuple[Any, Any]]
    """Name to factors A and B, B scaled."""


def _tuned_layer(layer: Any, names: Iterable[str]) -> _TunedLayer:
    further = {}
    for name, in_peft in ((name, IN_PEFT.format(index)) for index, name in enumerate(names)):
        scaled = layer.lora_B[in_peft].weight.detach() * layer.scaling[in_peft]
        further[name] = (layer.lora_A[in_peft].weight.detach(), scaled)
    return _TunedLayer(layer.lora_A.default, layer.lora_B.default.weight, further)


def _made_input(graph: ir.Graph, product: ir.Node) -> ir.TensorProtocol:
    """Makes a product's factor an input, zero and of rank 1 unless given; returns what it was."""
    weight, output = product.inputs[1], product.outputs[0]
    factor = weight.const_value
    is_first = f"/{FACTORS[0]}/" in product.name
    size = weight.shape[0 if is_first else 1]
    nothing, shape = ((size, 1), (size, RANK)) if is_first else ((1, size), (RANK, size))
    weight.const_value = ir.tensor(np.zeros(nothing, weight.dtype.numpy()), name=weight.name)
    weight.shape = ir.Shape(shape)
    if is_first:
        output.shape = ir.Shape([*output.shape[:-1], RANK])
    graph.inputs.append(weight)
    return factor


def _alike(factor: ir.TensorProtocol, other: Any) -> ir.TensorProtocol:
    """Another adapter's factor, a torch tensor [out, in], as the graph takes it."""
    return ir.tensor(other.float().numpy().T.astype(factor.dtype.numpy()), dtype=factor.dtype)


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
