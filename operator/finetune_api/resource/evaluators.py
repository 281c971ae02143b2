"""spec.evaluators: named sets of metrics."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model, Name, OneOf, named_list

MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=20)]
"""Short, since it travels in a pod's termination message."""


class AccuracyMetric(Model):
    """Share of rows whose greedily generated answer equals the expected one."""

    higher_is_better: ClassVar[bool] = True

    max_new_tokens: int = Field(default=16, ge=1, le=1024, description="Longest generated answer in tokens.")
    ignore_case: bool = Field(default=True, description="Compare without regard to case.")


class LossMetric(Model):
    """Mean negative log-likelihood of the completion's tokens, in nats a token."""

    higher_is_better: ClassVar[bool] = False


class Metric(OneOf):
    """One figure."""

    variants: ClassVar[tuple[str, ...]] = ("accuracy", "loss")

    name: MetricName = Field(description="Name of the figure in status and report.")
    accuracy: AccuracyMetric | None = Field(default=None, description="Accuracy of the generated answer.")
    loss: LossMetric | None = Field(default=None, description="Loss on the completion.")

    @property
    def higher_is_better(self) -> bool:
        """Whether of two values the higher one is the better; each kind of figure says it as a class attribute."""
        return bool(getattr(self, self.variant).higher_is_better)


class Evaluator(Model):
    """A named set of metrics."""

    name: Name = Field(description="Name that evaluate passes refer to.")
    metrics: list[Metric] = named_list("Figures to compute.", min_length=1, default=False)
    max_samples: int = Field(default=0, ge=0, le=10000000, description="Rows to evaluate, from the first; 0: all.")
    batch_size: int = Field(default=8, ge=1, le=1024, description="Rows evaluated at once.")
