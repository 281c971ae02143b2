"""What an int4 export keeps of a tuned model: accuracy, Kullback-Leibler divergence and size, by how it was rounded.

`make bench-quality` runs it. For each seed a model is tuned to the tone rows of examples/, by lora and by qlora, merged
and exported in each way; each artifact is measured on the held-out rows by an evaluate pass, on onnxruntime-genai. What
lies in --work and in the file of results is not made again, so that a run can be stopped and gone on with.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kept_quality import Lost, draw
from task_model import make_task_model

from finetune_api.plan import Product
from finetune_api.resource.exports import ModelBuilder
from finetune_api.resource.passes import MergeAdapterWeights, Tuning
from finetune_runner.passes.contract import DATA, TRAIN_DATA, ModelPlace
from finetune_runner.passes.registry import run_pass
from passes import TEMPLATE, Reported, data_set, evaluate, export, inputs, lora, merge, qlora, tune

TONE = Path(__file__).parents[2] / "examples" / "tone"
TASK = "tiny-phi3"
"""The model that is trained here from random weights."""
HELD_OUT = 64
"""Of the training rows, which mergeBase: auto decides by."""
OLIVE = {"algorithm": "default", "opTypesToQuantize": ["MatMul"]}
"""What Olive's ModelBuilder asks of the builder by default."""
TUNED, AUTO = "not rounded", "auto, k_quant"
WAYS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "lora": {
        "Olive's options": ("original", OLIVE),
        "rtn": ("original", {"algorithm": "rtn"}),
        "k_quant": ("original", {"algorithm": "k_quant"}),
        "k_quant_mixed": ("original", {"algorithm": "k_quant_mixed"}),
        "gptq": ("original", {"algorithm": "gptq", "calibrationData": "tones"}),
    },
    "qlora": {
        "original, Olive's options": ("original", OLIVE),
        "original, k_quant": ("original", {"algorithm": "k_quant"}),
        "dequantised, k_quant": ("dequantised", {"algorithm": "k_quant"}),
        "dequantised, gptq": ("dequantised", {"algorithm": "gptq", "calibrationData": "tones"}),
    },
}
"""Tuning pass to ways of making int4: mergeBase, and fields of modelBuilder."""


@dataclass(frozen=True)
class Measured:
    """One artifact, or the tuned model itself."""

    model: str
    seed: int
    steps: int
    rows: int
    tuning: str
    way: str
    accuracy: float
    loss: float
    """Nats a token."""
    kl: float
    """From the tuned model, in nats a token."""
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(os.environ.get("FINETUNE_CACHE") or Path.home() / ".cache" / "finetune-operator")
    demo = cache / "models" / "gemma3-270m"
    parser.add_argument(
        "--model", action="append", help=f"{TASK}, or a transformers directory (default: {TASK} and {demo})"
    )
    parser.add_argument("--tuning", choices=WAYS, action="append", help="only by this pass (default: both)")
    parser.add_argument("--seeds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps of 8 rows (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=240, help="held-out rows (default: %(default)s, which is all)")
    parser.add_argument("--work", type=Path, default=Path(".bench/export_quality"), help="(default: %(default)s)")
    parser.add_argument("--plots", type=Path, help="directory for MODEL-TUNING.svg of each table")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for model in given.model or [TASK, str(demo)]:
            for tuning in given.tuning or WAYS:
                Chain(given, model, seed, tuning).run()
                lines = [line for line in read(given) if (line.model, line.tuning) == (Path(model).name, tuning)]
                table(lines)
                if given.plots:
                    given.plots.mkdir(parents=True, exist_ok=True)
                    draw(lost(lines), given.plots / f"{lines[0].model}-{tuning}.svg")


class Chain:
    """A model, tuned in one way with one seed, and all that is made of it."""

    def __init__(self, given: argparse.Namespace, model: str, seed: int, tuning: str) -> None:
        self._given, self._model, self._seed, self._tuning = given, model, seed, tuning
        self._work = given.work / f"{Path(model).name}-{seed}-{given.steps}"
        self._train, self._held_out = rows_of("train"), rows_of("heldout")[: given.rows]

    def run(self) -> None:
        """Measures what has not been measured yet."""
        base = Path(self._model)
        if self._model == TASK:
            prompt = TEMPLATE.removesuffix("{tone}")
            texts = [(prompt.format(**row), str(row["tone"])) for row in self._train]
            base = made(self._work / "base", lambda output: make_task_model(texts, output, self._seed))
        config = self._config()
        train = data_set(self._train, maxSeqLen=64)
        adapter = made(self._work / self._tuning, lambda output: tune(base, output, config, train=train))
        reference = ModelPlace(adapter, Product.ADAPTER, base)
        if self._tuning == "qlora":  # what was trained is the adapter on the base in four bits
            reference = ModelPlace(self._merged(adapter, base, "dequantised"), Product.MODEL, None)
        self._measure(TUNED, reference, reference)
        for way, (merge_base, fields) in WAYS[self._tuning].items():
            if way not in self._known():
                merged = self._merged(adapter, base, merge_base)
                with tempfile.TemporaryDirectory(dir=self._work) as scratch:
                    artifact = Path(scratch) / "onnx"
                    export(merged, artifact, data={DATA: train}, **fields)
                    self._measure(way, ModelPlace(artifact, Product.ONNX, None), reference)
        if self._tuning == "qlora" and AUTO not in self._known():
            chosen = self._chosen(adapter, base, train)
            self._keep(Measured(**asdict(self._known()[f"{chosen}, k_quant"]) | {"way": AUTO}))

    def _config(self) -> Tuning:
        training = {"maxSteps": self._given.steps, "perDeviceTrainBatchSize": 8, "learningRate": 2e-4}
        training |= {"seed": self._seed, "dataSeed": self._seed, "loggingSteps": 10}
        if self._tuning == "qlora":
            return qlora(r=16, alpha=32, training=training, evalRows=HELD_OUT)
        return lora(r=16, alpha=32, training=training)

    def _merged(self, adapter: Path, base: Path, merge_base: str) -> Path:
        directory = self._work / f"{self._tuning}-{merge_base}"
        return made(directory, lambda output: merge(adapter, base, output, mergeBase=merge_base))

    def _chosen(self, adapter: Path, base: Path, train: Any) -> str:
        """What mergeBase: auto chooses for an export by k_quant; its model is that of the choice, byte for byte."""
        with tempfile.TemporaryDirectory(dir=self._work) as scratch:
            given = inputs(
                adapter,
                Path(scratch) / "auto",
                product=Product.ADAPTER,
                base=base,
                data={TRAIN_DATA: train},
                tuned=self._config(),
                export=ModelBuilder(algorithm="k_quant"),
            )
            config = MergeAdapterWeights(merge_base="auto")
            return run_pass("merge_adapter_weights", config, given, Reported()).metrics["mergeBaseChosen"]

    def _measure(self, way: str, place: ModelPlace, reference: ModelPlace) -> None:
        if way in self._known():
            return
        metrics: list[dict[str, Any]] = [
            {"name": "accuracy", "accuracy": {"maxNewTokens": 8}},
            {"name": "loss", "loss": {}},
            {"name": "size", "sizeBytes": {}},
        ]
        compared: dict[str, Any] = {}
        if way != TUNED:
            metrics.append({"name": "kl", "kl": {}})
            compared["reference"] = reference
        with tempfile.TemporaryDirectory() as scratch:
            evaluator = {"batchSize": 16, "metrics": metrics}
            output, rows = Path(scratch) / "figures", self._held_out
            found = evaluate(
                place.directory, output, place.product, base=place.base, rows=rows, evaluator=evaluator, **compared
            ).metrics
        figures = {name: float(found.get(name, 0)) for name in ("accuracy", "loss", "kl")}
        self._keep(Measured(*self._asked(), self._tuning, way, **figures, megabytes=float(found["size"]) / 1e6))

    def _asked(self) -> tuple[str, int, int, int]:
        return Path(self._model).name, self._seed, self._given.steps, len(self._held_out)

    def _known(self) -> dict[str, Measured]:
        """What has been measured of this chain, by its way."""
        mine = (*self._asked(), self._tuning)
        return {m.way: m for m in read(self._given) if (m.model, m.seed, m.steps, m.rows, m.tuning) == mine}

    def _keep(self, measured: Measured) -> None:
        print(measured, flush=True)
        with results(self._given).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(measured)) + "\n")


def made(directory: Path, make: Callable[[Path], Any]) -> Path:
    """A directory that is made unless it is there, all of it or nothing."""
    if not directory.exists():
        part = directory.with_name(f"{directory.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        make(part)
        part.rename(directory)
    return directory


def rows_of(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (TONE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def results(given: argparse.Namespace) -> Path:
    return Path(given.work) / "results.jsonl"


def read(given: argparse.Namespace) -> list[Measured]:
    """All that has been measured with so many steps and rows."""
    file = results(given)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = [Measured(**json.loads(line)) for line in lines]
    return [m for m in found if (m.steps, m.rows) == (given.steps, given.rows)]


def lost(lines: Sequence[Measured]) -> dict[str, list[Lost]]:
    """What each way's artifacts lost, in the order of WAYS."""
    tuned = {line.seed: line.accuracy for line in lines if line.way == TUNED}
    found: dict[str, list[Lost]] = {way: [] for way in (*WAYS[lines[0].tuning], AUTO)}
    for line in lines:
        if line.way != TUNED:
            found[line.way].append(Lost(100 * (tuned[line.seed] - line.accuracy), line.kl))
    return {way: its for way, its in found.items() if its}


def table(lines: Sequence[Measured]) -> None:
    """Medians over the seeds, and each seed's accuracy."""
    print(f"\n{lines[0].model}, {lines[0].tuning}, {lines[0].rows} held-out rows, {lines[0].steps} steps\n")
    print("| int4 | accuracy | of each seed | KL from the tuned model | loss | MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    by_way: dict[str, list[Measured]] = {}
    for line in lines:
        by_way.setdefault(line.way, []).append(line)
    for way, its in by_way.items():
        figures = median(its)
        seeds = ", ".join(f"{line.accuracy:.3f}" for line in its)
        print(
            f"| {way} | {figures['accuracy']:.3f} | {seeds} | {figures['kl']:.5f} | {figures['loss']:.4f}"
            f" | {figures['megabytes']:.1f} |"
        )


def median(lines: Sequence[Measured]) -> Mapping[str, float]:
    names = ("accuracy", "kl", "loss", "megabytes")
    return {name: statistics.median(getattr(line, name) for line in lines) for name in names}


if __name__ == "__main__":
    main()
