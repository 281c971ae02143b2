"""What a plugin is: the public contract between the runner and third parties' passes and metrics (docs/plugins.md).

A package offers passes by entry points of the group `finetune_operator.passes`: an entry's name is what a manifest
writes as plugin.name, its value a subclass of PluginPass. Metrics are subclasses of PluginMetric in the group
`finetune_operator.metrics`. Prepare and the command line load plugins too, and want it quick: a plugin's module imports
torch and its like inside `run` and `scores`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from finetune_api.plan import Product
from finetune_api.resource.base import Model

__all__ = [
    "GROUP",
    "METRICS_GROUP",
    "PluginAnswer",
    "PluginConfig",
    "PluginInputs",
    "PluginMetric",
    "PluginPass",
    "Product",
    "Report",
]

GROUP = "finetune_operator.passes"
"""Of the entry points that offer passes."""
METRICS_GROUP = "finetune_operator.metrics"
"""Of the entry points that offer metrics."""


class PluginConfig(Model):
    """Base of a plugin's config: camelCase in the manifest, immutable, unknown fields refused by name."""


Config = TypeVar("Config", bound=PluginConfig)


class Report(Protocol):
    """Where a pass tells how far it is."""

    def __call__(
        self,
        *,
        step: int,
        total_steps: int,
        loss: float | None = None,
        tokens_per_second: float | None = None,
    ) -> None: ...


@dataclass(frozen=True)
class PluginInputs:
    """A plugin's directories and surroundings."""

    source: Path
    """The directory it works on, not to be changed: a model, an adapter or an ONNX model, as `product` says."""
    product: Product
    base: Path | None
    """For an adapter: the directory of the model it belongs to."""
    output: Path
    """An empty directory, for what the plugin makes. Tokenizer, licence and prompt.json are carried over from `source`
    afterwards, unless the plugin has written its own."""
    accelerator: bool
    """Whether the system has an accelerator, which then must be used."""
    trust_remote_code: bool
    """Whether Python code that lies in a model's directory may run."""
    report: Report
    """Told how far the plugin is: report(step=3, total_steps=10)."""


class PluginPass(ABC, Generic[Config]):
    """A pass: a directory made from another. Running it twice gives the same result."""

    config: ClassVar[type[PluginConfig]]
    """What the manifest's plugin.config is checked against, before anything starts."""
    accepts: ClassVar[frozenset[Product]] = frozenset({Product.MODEL})
    """What it can work on."""
    produces: ClassVar[Product] = Product.MODEL
    """What it makes, as the manifest's plugin.produces must say too."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version changes what it makes, besides its own: part of the cache key."""

    @abstractmethod
    def run(self, config: Config, inputs: PluginInputs) -> Mapping[str, float] | None:
        """Fills `inputs.output`; gives figures by name (of at most 20 characters), if there are any.

        Raises:
            Exception: anything; the job then fails with reason PluginFailed and the exception's text. A
                finetune_api.failures.FineTuneError fails it with a reason, place and remedy of the plugin's choice.
        """


@dataclass(frozen=True)
class PluginAnswer:
    """What a model has made of a row; without the space around it."""

    prompt: str
    expected: str
    got: str
    """All that it wrote, until it ended the sequence or had written maxNewTokens."""


class PluginMetric(ABC, Generic[Config]):
    """A metric: a score for each answer. The same answers get the same scores."""

    config: ClassVar[type[PluginConfig]]
    """What the manifest's plugin.config is checked against, before anything starts."""
    higher_is_better: ClassVar[bool] = True
    """As the manifest's plugin.higherIsBetter must say too: gates go by it."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version changes the scores, besides its own: part of the cache key."""

    @abstractmethod
    def scores(self, config: Config, answers: Sequence[PluginAnswer]) -> Sequence[float]:
        """One finite number for each answer, in order; the figure is their mean.

        Raises:
            Exception: anything; the job then fails as with a PluginPass.
        """
