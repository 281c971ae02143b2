"""The resource's schemas, each made once: making one takes longer than a hundred tests."""

from functools import cache
from typing import Any

from finetune_api.crd import custom_resource_definition


@cache
def crd_schema() -> dict[str, Any]:
    """What the API server checks. To be looked at only."""
    schema: dict[str, Any] = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema
