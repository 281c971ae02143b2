"""Runs passes in tests: inputs with defaults, and a report that remembers."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_api.plan import Product
from finetune_api.resource.data import DataConfig
from finetune_api.resource.evaluators import Evaluator
from finetune_api.resource.exports import ExtractAdapters, ModelBuilder
from finetune_api.resource.passes import (
    Dora,
    Evaluate,
    LoftQ,
    LoHa,
    LoKr,
    Lora,
    MergeAdapterWeights,
    QLora,
    Tuning,
)
from finetune_runner.passes.contract import DATA, EVAL_DATA, TRAIN_DATA, DataSet, PassInputs, PassResult
from finetune_runner.passes.exporting.builder_process import child_request
from finetune_runner.passes.registry import run_pass
from finetune_runner.passes.telemetry import Telemetry

TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
TONES = {
    "joy": ["I can't stop smiling", "what a wonderful day", "we won at last"],
    "sadness": ["nobody came to see her", "I miss him so much", "all is lost"],
    "fear": ["something is at the door", "do not turn around", "it is too dark in there"],
    "surprise": ["you two are married", "I never saw that coming", "wait, since when"],
}
ROWS: list[dict[str, object]] = [{"phrase": p, "tone": tone} for tone, phrases in TONES.items() for p in phrases]


def data_set(rows: list[dict[str, object]] | None = None, **preprocess: Any) -> DataSet:
    config = {
        "name": "tones",
        "source": {"s3": {"uri": "s3://data/tones.jsonl"}},
        "preprocess": {"textTemplate": TEMPLATE, **preprocess},
    }
    return DataSet(DataConfig.model_validate(config), ROWS if rows is None else rows)


def lora(**fields: Any) -> Lora:
    return Lora.model_validate(_tuning(fields))


def qlora(**fields: Any) -> QLora:
    return QLora.model_validate(_tuning(fields))


def dora(**fields: Any) -> Dora:
    return Dora.model_validate(_tuning(fields))


def loftq(**fields: Any) -> LoftQ:
    return LoftQ.model_validate(_tuning(fields))


def loha(**fields: Any) -> LoHa:
    return LoHa.model_validate(_without_dropout(fields))


def lokr(**fields: Any) -> LoKr:
    return LoKr.model_validate(_without_dropout(fields))


def _without_dropout(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in _tuning(fields).items() if name != "dropout"}


def _tuning(fields: dict[str, Any]) -> dict[str, Any]:
    training = {"maxSteps": 12, "learningRate": 0.02, "perDeviceTrainBatchSize": 4, "loggingSteps": 4}
    given = {"trainData": "tones", "r": 8, "alpha": 16, "dropout": 0.0, **fields}
    return given | {"training": training | fields.get("training", {})}


@dataclass
class Reported:
    """A report that remembers what it was told."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    telemetry: list[Telemetry] = field(default_factory=list)

    def __call__(self, **said: Any) -> None:
        if figures := said.get("telemetry"):
            self.telemetry.append(figures)
        else:
            self.steps.append(said)


def inputs(source: Path, output: Path, **fields: Any) -> PassInputs:
    output.mkdir(parents=True)
    defaults: dict[str, Any] = {
        "product": Product.MODEL,
        "base": None,
        "data": {},
        "execution_provider": "CPUExecutionProvider",
        "accelerator": False,
        "trust_remote_code": False,
        "evaluator": None,
        "path": "spec.passes[0]",
    }
    return PassInputs(source=source, output=output, **defaults | fields)


def tune(source: Path, output: Path, config: Tuning | None = None, **fields: Any) -> PassResult:
    """Trains an adapter of `source` into `output`."""
    config = config or lora()
    data = {TRAIN_DATA: fields.pop("train", None) or data_set()}
    if held_out := fields.pop("held_out", None):
        data[EVAL_DATA] = held_out
    variant = type(config).__name__.lower()
    report = fields.pop("report", Reported())
    given = inputs(source, output, data=data, path=f"spec.passes[0].{variant}", **fields)
    return run_pass(variant, config, given, report)


def merge(adapter: Path, base: Path, output: Path, **fields: Any) -> PassResult:
    given = inputs(adapter, output, product=Product.ADAPTER, base=base, path="spec.passes[1].mergeAdapterWeights")
    return run_pass("merge_adapter_weights", MergeAdapterWeights.model_validate(fields), given, Reported())


def export(model: Path, output: Path, report: Reported | None = None, **fields: Any) -> PassResult:
    accelerator = fields.pop("accelerator", False)
    data = fields.pop("data", {})
    given = inputs(model, output, path="spec.passes[2].modelBuilder", data=data, accelerator=accelerator)
    return run_pass("model_builder", ModelBuilder.model_validate(fields), given, report or Reported())


def export_here(model: Path, output: Path, **fields: Any) -> None:
    """What an export's child process does, in this one: the builder, which takes seconds to import, is loaded once."""
    from finetune_runner.passes.exporting import builder_child

    given = inputs(model, output)
    with tempfile.TemporaryDirectory() as cache:
        builder_child.export(**child_request(ModelBuilder.model_validate(fields), given, model, cache, {}))


def extract(adapter: Path, base: Path, output: Path, report: Reported | None = None, **fields: Any) -> PassResult:
    accelerator = fields.pop("accelerator", False)
    surroundings = {"path": "spec.passes[1].extractAdapters", "adapters": fields.pop("adapters", {})}
    given = inputs(adapter, output, product=Product.ADAPTER, base=base, accelerator=accelerator, **surroundings)
    return run_pass("extract_adapters", ExtractAdapters.model_validate(fields), given, report or Reported())


def evaluate(source: Path, output: Path, product: Product, *, base: Path | None = None, **fields: Any) -> PassResult:
    """Accuracy and loss on ROWS, on `rows`, or on the data set `test`."""
    metrics = [{"name": "accuracy", "accuracy": {"maxNewTokens": 8}}, {"name": "loss", "loss": {}}]
    evaluator = {"name": "tone", "metrics": metrics, "batchSize": 4} | fields.pop("evaluator", {})
    data = {DATA: fields.pop("test", None) or data_set(fields.pop("rows", None))}
    report = fields.pop("report", Reported())
    given = inputs(
        source, output, product=product, base=base, data=data, evaluator=Evaluator.model_validate(evaluator), **fields
    )
    return run_pass("evaluate", Evaluate(evaluator="tone", data="tones"), given, report)
