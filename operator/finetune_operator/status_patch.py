"""The one status write of a round: an apply configuration that holds only on what was observed. Pure."""

from collections.abc import Mapping
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_api.resource.status import FineTuneJobStatus
from finetune_operator.observed import Observed


def status_patch(observed: Observed, status: FineTuneJobStatus) -> dict[str, Any]:
    """For server-side apply: the resourceVersion makes a stale decision a conflict, the UID one about another job.

    What could not be read is written as it was: server-side apply removes what is left out.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": observed.name,
            "namespace": observed.namespace,
            "uid": observed.uid,
            "resourceVersion": observed.resource_version,
        },
        "status": with_kept(without_empty(status.to_wire()), observed.status_kept),
    }


def with_kept(written: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """A status, with what could not be read of the stored one as it was but for conditions of the same type."""
    ours = written.get("conditions", [])
    types = {condition["type"] for condition in ours}
    others = [condition for condition in kept.get("conditions", []) if condition["type"] not in types]
    conditions = {"conditions": [*ours, *others]} if ours or others else {}
    return {**written, **kept, **conditions}


def without_empty(value: Any) -> Any:
    """Nothing that is empty: what there is not to say is not there."""
    if isinstance(value, dict):
        return {name: without_empty(item) for name, item in value.items() if item not in ("", [], {})}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value
