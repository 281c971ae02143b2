"""A pass or a metric of a third party's package, as a manifest names it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

from finetune_api.resource.base import Model, Name, without_nulls

MAX_FIELDS = 64
PRESERVED: JsonDict = {"x-kubernetes-preserve-unknown-fields": True}
"""Of a map's values. On the map itself, CEL would take {a: 1} and {b: 2} for equal, and so a change for none
(unstructuredMap.Equal in k8s.io/apiserver/pkg/cel/common)."""
FreeForm = Annotated[dict[str, Any], Field(max_length=MAX_FIELDS), AfterValidator(without_nulls)]
"""As anywhere in the resource, what is null is not there."""


class Plugin(Model):
    """A pass of a package that is installed in the system's image (docs/plugins.md)."""

    name: Name = Field(description="Name under which the package offers it; `finetune passes` lists those installed.")
    config: FreeForm = Field(
        default_factory=dict,
        description="The plugin's own fields, checked by the plugin before any accelerator is asked for.",
        json_schema_extra={"additionalProperties": PRESERVED},
    )
    produces: Literal["model", "adapter", "onnx", "figures"] = Field(
        default="model", description="What the plugin makes, so that the passes after it can be planned."
    )


class MetricPlugin(Model):
    """A metric of a package that is installed in the system's image: each answer gets a score, the mean counts."""

    needs_answer: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = False

    name: Name = Field(description="Name under which the package offers it; `finetune passes` lists those installed.")
    config: FreeForm = Field(
        default_factory=dict,
        description="The metric's own fields, checked by the metric before any accelerator is asked for.",
        json_schema_extra={"additionalProperties": PRESERVED},
    )
    max_new_tokens: int = Field(default=16, ge=1, le=1024, description="Longest generated answer in tokens.")
    higher_is_better: bool = Field(
        default=True, description="Whether of two values the higher one is the better, as the metric says too."
    )
