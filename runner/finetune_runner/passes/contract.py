"""What a pass is given and what it gives back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from finetune_api.plan import Product
from finetune_api.resource.data import DataConfig
from finetune_api.resource.evaluators import Evaluator
from finetune_api.resource.exports import Export
from finetune_api.resource.passes import QLora
from finetune_runner.data.values import Row
from finetune_runner.passes.telemetry import Telemetry
from finetune_runner.sources.rows import RowFiles

TRAIN_DATA = "train_data"
EVAL_DATA = "eval_data"
DATA = "data"

FIGURES_FILE = "metrics.json"
"""What a pass that makes figures writes (docs/evaluation.md)."""


@dataclass(frozen=True)
class DataSet:
    """The rows of a data config, as read from their source."""

    config: DataConfig
    rows: Iterable[Row]
    """Gone through from the beginning each time; they need not fit into memory."""

    @property
    def bad_rows(self) -> int:
        """Rows that were left out, the last time that all were gone through, since they can't be used."""
        return self.rows.bad.count if isinstance(self.rows, RowFiles) else 0


class Checkpoints(Protocol):
    """Where a pass keeps what it has come to, for the pod that comes after this one.

    Both raise FineTuneError: StoreUnavailable, AuthDenied.
    """

    def restore(self, folder: Path) -> int | None:
        """Fetches the newest checkpoint into an empty folder; returns its step, None where there is none."""

    def save(self, step: int, folder: Path, keep: int) -> None:
        """Keeps a folder's files as the checkpoint of a step, of which the newest `keep` stay."""


class Tokens(Protocol):
    """Where a tuning pass keeps its tokenised rows, for the next one that trains on the same.

    Both raise FineTuneError: StoreUnavailable, AuthDenied.
    """

    def restore(self, folder: Path) -> bool:
        """Fetches them into an empty folder; False where there are none."""

    def save(self, folder: Path) -> None:
        """Keeps a folder's files."""


@dataclass(frozen=True)
class ModelPlace:
    """Where a model, an adapter or an ONNX model lies."""

    directory: Path
    product: Product
    base: Path | None
    """For an adapter: the directory of the model it belongs to."""
    adapter: str = ""
    """Of an ONNX model with several adapters: the one that is meant."""


@dataclass(frozen=True)
class PassInputs:
    """A pass's directories, rows and surroundings."""

    source: Path
    """The directory it works on: a model, an adapter or an ONNX model, as `product` says."""
    product: Product
    base: Path | None
    """For an adapter: the directory of the model it belongs to."""
    data: Mapping[str, DataSet]
    """By role: TRAIN_DATA and EVAL_DATA of tuning, and of a merge that chooses its base; DATA of all others."""
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
    reference: ModelPlace | None = None
    """Of an evaluate pass that compares with another model."""
    adapters: Mapping[str, Path] = field(default_factory=dict)
    """Of an export of several adapters of one base: the name of each to its directory, `source` first."""
    adapter: str = ""
    """Of an evaluate pass on such an export: the name of the one that is measured."""
    checkpoints: Checkpoints | None = None
    """Of this very pass; None where nothing is kept."""
    tokens: Tokens | None = None
    """Of a tuning pass; None where nothing is kept."""
    memory_at_most: int | None = None
    """Bytes that prepare has estimated for it, where it could."""
    run_name: str = ""
    """What trackers call the run."""
    event_files: Path | None = None
    """Where TensorBoard's files go, which are kept with the job and not with the output."""
    grace_seconds: float = 60
    """Time from the request to stop to the end of the process."""
    tuned: QLora | None = None
    """Of a merge that is to choose its base: how the adapter was tuned; None where it has no choice to make."""
    export: Export | None = None
    """Of such a merge: how the merged model is going to be rounded."""


class Report(Protocol):
    """Where a pass tells how far it is; more than a plugin has to say (finetune_api.plugin)."""

    def __call__(
        self,
        *,
        step: int,
        total_steps: int,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        resumed_from: int | None = None,
        micro_batch: int | None = None,
        telemetry: Telemetry | None = None,
    ) -> None: ...


@dataclass(frozen=True)
class PassResult:
    """What a pass has to say besides its output."""

    metrics: dict[str, str] = field(default_factory=dict)
    """Headline figures: a name of at most 20 characters to a value of at most 12."""
    intervals: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of those that have one: the name to the ends of its 95 % confidence interval."""
    verified_on: str = ""
    """Execution provider that an ONNX model was seen to run on; empty for none."""
