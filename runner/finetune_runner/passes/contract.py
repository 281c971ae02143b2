"""What a pass is given and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from finetune_api.plan import Product
from finetune_api.plugin import Report
from finetune_api.resource.data import DataConfig
from finetune_api.resource.evaluators import Evaluator

__all__ = ["DATA", "EVAL_DATA", "TRAIN_DATA", "DataSet", "PassInputs", "PassResult", "Report"]

TRAIN_DATA = "train_data"
EVAL_DATA = "eval_data"
DATA = "data"


@dataclass(frozen=True)
class DataSet:
    """The rows of a data config, as read from their source."""

    config: DataConfig
    rows: list[dict[str, object]]


@dataclass(frozen=True)
class PassInputs:
    """A pass's directories, rows and surroundings."""

    source: Path
    """The directory it works on: a model, an adapter or an ONNX model, as `product` says."""
    product: Product
    base: Path | None
    """For an adapter: the directory of the model it belongs to."""
    data: Mapping[str, DataSet]
    """By role: TRAIN_DATA and EVAL_DATA of a tuning pass, DATA of an evaluation."""
    output: Path
    """An empty directory, for what the pass makes."""
    execution_provider: str
    """onnxruntime execution provider that an export is made for."""
    accelerator: bool
    """Whether the system has an accelerator, which then must be used."""
    trust_remote_code: bool
    evaluator: Evaluator | None
    """Of an evaluate pass."""
    path: str
    """Where the pass's config stands in the spec, such as spec.passes[0].lora."""


@dataclass(frozen=True)
class PassResult:
    """What a pass has to say besides its output."""

    metrics: dict[str, str] = field(default_factory=dict)
    """Headline figures: a name of at most 20 characters to a value of at most 12."""
