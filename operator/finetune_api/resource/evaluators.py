"""spec.evaluators: named sets of metrics."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model, Name, OneOf, named_list
from finetune_api.resource.plugin import MetricPlugin

MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=20)]
"""Short, since it travels in a pod's termination message."""


class MetricKind(Model):
    """What a figure is computed by."""

    higher_is_better: ClassVar[bool]
    needs_answer: ClassVar[bool] = False
    """Whether the rows must have an answer that the model can be asked for."""
    needs_reference: ClassVar[bool] = False
    """Whether it compares with another model, which the pass names."""


class AnswerMetric(MetricKind):
    """What all metrics of generated answers say."""

    higher_is_better: ClassVar[bool] = True
    needs_answer: ClassVar[bool] = True

    max_new_tokens: int = Field(default=16, ge=1, le=1024, description="Longest generated answer in tokens.")
    ignore_case: bool = Field(default=True, description="Compare without regard to case.")


class AccuracyMetric(AnswerMetric):
    """Share of rows whose greedily generated answer equals the expected one, over as many lines as that has."""


class ExactMatchMetric(AnswerMetric):
    """Share of rows whose whole generated text equals the expected answer: writing on after it is wrong, too."""


class MacroF1Metric(AnswerMetric):
    """Unweighted mean of the F1 score of each answer that rows expect, of which there may be 50."""


class LossMetric(MetricKind):
    """Mean negative log-likelihood of the completion's tokens, in nats a token."""

    higher_is_better: ClassVar[bool] = False


class PerplexityMetric(MetricKind):
    """e to the power of the loss."""

    higher_is_better: ClassVar[bool] = False


class KlMetric(MetricKind):
    """Kullback-Leibler divergence in nats a token: how far what the model predicts at the completion's tokens is from what
    the pass's comparedTo predicts there.
    """

    higher_is_better: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = True


class SizeBytesMetric(MetricKind):
    """Bytes of all files; of an adapter, its own."""

    higher_is_better: ClassVar[bool] = False


class LatencyMetric(MetricKind):
    """What all metrics of time say: how it is taken, for one prompt at a time."""

    prompt_tokens: int = Field(default=128, ge=1, le=1048576, description="Length of the prompt in tokens.")
    repeats: int = Field(default=5, ge=1, le=100, description="Runs, after one that does not count; the median counts.")


class TimeToFirstTokenMetric(LatencyMetric):
    """Seconds from the prompt to the first generated token."""

    higher_is_better: ClassVar[bool] = False


class TokensPerSecondMetric(LatencyMetric):
    """Tokens generated in a second, behind the first."""

    higher_is_better: ClassVar[bool] = True

    new_tokens: int = Field(default=32, ge=2, le=65536, description="Tokens generated in a run.")


class Metric(OneOf):
    """One figure."""

    variants: ClassVar[tuple[str, ...]] = (
        "accuracy",
        "exact_match",
        "macro_f1",
        "loss",
        "perplexity",
        "kl",
        "size_bytes",
        "time_to_first_token",
        "tokens_per_second",
        "plugin",
    )

    name: MetricName = Field(description="Name of the figure in status and report.")
    accuracy: AccuracyMetric | None = Field(default=None, description="Accuracy of the generated answer.")
    exact_match: ExactMatchMetric | None = Field(default=None, description="Accuracy of all that is generated.")
    macro_f1: MacroF1Metric | None = Field(default=None, description="F1 score, the mean over the expected answers.")
    loss: LossMetric | None = Field(default=None, description="Loss on the completion.")
    perplexity: PerplexityMetric | None = Field(default=None, description="Perplexity of the completion.")
    kl: KlMetric | None = Field(default=None, description="Divergence from the model that the pass is comparedTo.")
    size_bytes: SizeBytesMetric | None = Field(default=None, description="Size on disk.")
    time_to_first_token: TimeToFirstTokenMetric | None = Field(
        default=None, description="Time that reading a prompt takes."
    )
    tokens_per_second: TokensPerSecondMetric | None = Field(default=None, description="Pace of generation.")

    plugin: MetricPlugin | None = Field(default=None, description="A metric of a third party's package.")

    @property
    def config(self) -> MetricKind | MetricPlugin:
        """The member that is set."""
        return getattr(self, self.variant)  # type: ignore[no-any-return]

    @property
    def higher_is_better(self) -> bool:
        """Whether of two values the higher one is the better; each kind of figure says it."""
        return self.config.higher_is_better


class Evaluator(Model):
    """A named set of metrics."""

    name: Name = Field(description="Name that evaluate passes refer to.")
    metrics: list[Metric] = named_list("Figures to compute.", min_length=1, default=False)
    max_samples: int = Field(default=0, ge=0, le=10000000, description="Rows to evaluate, from the first; 0: all.")
    batch_size: int = Field(default=8, ge=1, le=1024, description="Rows evaluated at once.")
