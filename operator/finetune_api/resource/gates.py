"""spec.gates: what must hold before the artifact is published."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from finetune_api.resource.base import Name, OneOf
from finetune_api.resource.evaluators import MetricName

MAX_GATES = 16
"""Each one's outcome must fit into a pod's termination message."""
MAX_CANDIDATES = 8
COMPARED_TO = "comparedTo belongs to maxDrop: set both, or neither"

Bound = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$", min_length=1, max_length=26)]
"""A decimal number as text, so that it is compared digit by digit and not as the nearest binary fraction."""


class Gate(OneOf):
    """A figure and the bound that it must keep."""

    variants: ClassVar[tuple[str, ...]] = ("min", "max", "max_drop")
    rules: ClassVar[tuple[dict[str, str], ...]] = (
        {"rule": "has(self.maxDrop) == has(self.comparedTo)", "message": COMPARED_TO},
    )

    metric: MetricName = Field(description="Name of an evaluator's metric.")
    after: Name = Field(
        description="Pass whose output is measured: an evaluate pass works on it, with an evaluator that has the metric."
    )
    min: Bound | None = Field(default=None, description='Least value, as text: "0.85".')
    max: Bound | None = Field(default=None, description='Greatest value, as text: "0.05".')
    max_drop: Bound | None = Field(
        default=None,
        description="How much worse than comparedTo the figure may be, in its own unit: lower, or where less is better (loss),"
        ' higher. "0.02" allows an accuracy two points lower; a negative number asks for one that is better.',
    )
    compared_to: Name | None = Field(
        default=None,
        description="With maxDrop: pass, or base, that the same metric on the same data is compared with.",
    )

    @property
    def bound(self) -> str:
        """The one of min, max and maxDrop that is set."""
        return str(getattr(self, self.variant))

    @model_validator(mode="after")
    def _compared_iff_drop(self) -> Self:
        if (self.max_drop is None) != (self.compared_to is None):
            raise ValueError(COMPARED_TO)
        return self
