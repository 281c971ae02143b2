"""Memory and time of an int4 export: by onnxruntime-genai's builder alone, and with our rounding in it, side by side.

`make bench-export` runs it, on models of random weights, and has a LoRA adapter of rank 16 merged into each, which a
chain does first. Before that both k-quants round the same matrix, on one thread. A line that the file of results has
already (same machine, model, route and rounding) is not measured again. On a busy machine the processor's time says
more than the clock's.
"""

import argparse
import json
import math
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from onnxruntime.quantization.neural_compressor.weight_only import quant_tensor, quant_tensor_k_quant_cpu
from peft import LoraConfig

import merge_memory
from decoder_shapes import SHAPES
from export_peak import Taken, taken
from finetune_runner.passes.merging.base_weights import base_weights
from finetune_runner.passes.rounding.blocks import Array, k_quant, nearest
from finetune_runner.passes.rounding.matrix import BLOCKS_AT_A_TIME
from random_adapter import make_random_adapter
from random_decoder import make_random_decoder

ROUTES = {"the builder alone": False, "our rounding": True}
MERGE = "merging an adapter, a layer at a time"
SIDE, BLOCK, BITS = 4096, 32, 4
"""Of the matrix that is rounded."""


@dataclass(frozen=True)
class Measured:
    """One export."""

    machine: str
    model: str
    algorithm: str
    route: str
    parameters: int
    anonymous: int
    """Bytes above the idle process."""
    resident: int
    """Bytes above the idle process, mapped files included."""
    seconds: float
    """Of exports; 0 for a merge, which is measured the second time it is done."""
    processor_seconds: float
    output_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, action="append", help="default: llama-8m")
    parser.add_argument("--exports-only", action="store_true", help="leave the matrix out")
    parser.add_argument("--algorithm", default="k_quant", choices=("k_quant", "rtn"))
    parser.add_argument(
        "--results", type=Path, default=Path(".bench/export_memory.jsonl"), help="(default: %(default)s)"
    )
    given = parser.parse_args()
    given.results.parent.mkdir(parents=True, exist_ok=True)
    if not given.exports_only:
        rounding_table()
    for model in given.model or ["llama-8m"]:
        known = {line.route for line in of(given, model)}
        missing = [route for route in (*ROUTES, MERGE) if route not in known]
        for measured in measure(model, given.algorithm, missing):
            with given.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(measured)) + "\n")
        table(of(given, model))


def measure(model: str, algorithm: str, routes: list[str]) -> Iterator[Measured]:
    """Exports a model by each route."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "model"
        if routes:
            make_random_decoder(SHAPES[model], directory)
        for route in routes:
            output = Path(scratch) / "output"
            if route == MERGE:
                found = merged(directory, output)
            else:
                found = taken(directory, output, rounding_here=ROUTES[route], algorithm=algorithm)
            size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
            shutil.rmtree(output, ignore_errors=True)
            yield Measured(machine(), model, algorithm, route, **found._asdict(), output_bytes=size)


def merged(model: Path, output: Path) -> Taken:
    """What it takes to merge a LoRA adapter of rank 16 into all linear layers of a model."""
    config = LoraConfig(task_type="CAUSAL_LM", r=16, target_modules="all-linear")
    output.mkdir()
    peak = merge_memory.measured("shards", model, make_random_adapter(model, output / "adapter", config), output)
    shutil.rmtree(output / "once")
    parameters = sum(math.prod(tensor.shape) for tensor in base_weights(model).tensors.values())
    return Taken(parameters, *peak, seconds=0, processor_seconds=0)


def of(given: argparse.Namespace, model: str) -> list[Measured]:
    """What has been measured of a model here."""
    lines = given.results.read_text(encoding="utf-8").splitlines() if given.results.exists() else []
    found = [Measured(**json.loads(line)) for line in lines]
    return [m for m in found if (m.machine, m.model, m.algorithm) == (machine(), model, given.algorithm)]


def machine() -> str:
    """Compare what one machine has done."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


def table(lines: list[Measured]) -> None:
    first = lines[0]
    print(
        f"\n{first.model}: {first.parameters / 1e6:.0f} M parameters in bfloat16, {first.algorithm}, {first.machine}\n"
    )
    print("| route | bytes a parameter | with mapped files | seconds | processor seconds | MB written |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for line in lines:
        per_parameter = (line.anonymous / line.parameters, line.resident / line.parameters)
        print(
            f"| {line.route} | {per_parameter[0]:.2f} | {per_parameter[1]:.2f} | {line.seconds:.1f}"
            f" | {line.processor_seconds:.1f} | {line.output_bytes / 1e6:.0f} |"
        )


def rounding_table() -> None:
    """Speed and error of rounding alone."""
    print(f"\nOne matrix of {SIDE} by {SIDE} in blocks of {BLOCK}, {BITS} bits, one thread; errors relative\n")
    print("| weights | rounding | processor seconds | squared error | weighted as in k-quant |")
    print("| --- | --- | ---: | ---: | ---: |")
    random = np.random.default_rng(0)
    for name, weights in {
        "normal": random.normal(size=(SIDE, SIDE)),
        "heavy-tailed (t, 4 degrees of freedom)": random.standard_t(4, size=(SIDE, SIDE)),
    }.items():
        rows = (0.02 * weights).astype(np.float32).reshape(-1, BLOCK)
        for rounding, restored in roundings().items():
            began = time.process_time()
            found = restored(rows)
            took = time.process_time() - began
            plain, weighted = errors(rows, found)
            print(f"| {name} | {rounding} | {took:.2f} | {plain:.5f} | {weighted:.5f} |")


def roundings() -> dict[str, Callable[[Array], Array]]:
    """What is compared: rows, each a block, to what is left of them."""
    return {
        "onnxruntime's k_quant": lambda rows: restored_theirs(*quant_tensor_k_quant_cpu(rows, BITS, BLOCK)),
        "our k_quant": partial(restored_ours, k_quant),
        "onnxruntime's rtn": lambda rows: restored_theirs(*quant_tensor(rows, BITS, BLOCK, "asym", "uint")),
        "our rtn": partial(restored_ours, nearest),
    }


def restored_theirs(levels: Array, scales: Array, zero_points: Array) -> Array:
    return ((levels - zero_points) * scales).astype(np.float32)


def restored_ours(rounding: Callable[..., tuple[Array, Array, Array]], rows: Array) -> Array:
    """As rounded() does it, some blocks at a time."""
    left = np.empty_like(rows)
    for start in range(0, len(rows), BLOCKS_AT_A_TIME):
        part = slice(start, start + BLOCKS_AT_A_TIME)
        levels, scales, zero_points = rounding(np.ascontiguousarray(rows[part].T), BITS, np.float32)
        left[part] = ((levels.astype(np.float32) - zero_points) * scales).T
    return left


def errors(rows: Array, left: Array) -> tuple[float, float]:
    """Squared error relative to the weights' own squares; the same weighted by |w| + rms(w) of the block."""
    importance = np.abs(rows) + np.sqrt(np.mean(rows**2, axis=1, keepdims=True))
    squares = (left - rows) ** 2
    return float(squares.sum() / (rows**2).sum()), float((importance * squares).sum() / (importance * rows**2).sum())


if __name__ == "__main__":
    main()
