"""A spec as it runs on this machine. Pure."""

from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.job import FineTuneJobSpec, Output, Store
from finetune_api.resource.locations import VolumeLocation

CLAIM = "finetune-local"
"""Stands for the folder that holds store and output."""
STORE = "store"
OUTPUT = "output"


def local_spec(spec: FineTuneJobSpec, name: str, *, as_written: bool) -> FineTuneJobSpec:
    """The spec with its outputs in the local folder.

    Args:
        spec: a valid spec.
        name: the job's.
        as_written: keep spec.store and spec.output.

    Raises:
        FineTuneError: InvalidSpec, for a job that is suspended, or as written has no store.
    """
    if spec.suspend:
        raise FineTuneError(
            Reason.INVALID_SPEC, "the job is suspended", remedy="Set it to false to run.", path="spec.suspend"
        )
    changes: dict[str, Any] = {} if as_written else _local_places(name)
    if as_written and spec.store is None:
        raise FineTuneError(
            Reason.INVALID_SPEC, "no store is set", remedy="Set it, or leave --as-written out.", path="spec.store"
        )
    return spec.model_copy(update=changes)


def _local_places(name: str) -> dict[str, Any]:
    """An edited job replaces what it has published here before."""
    output = VolumeLocation(claim_name=CLAIM, path=f"{OUTPUT}/{name}")
    return {
        "store": Store(volume=VolumeLocation(claim_name=CLAIM, path=STORE)),
        "output": Output(volume=output, overwrite=True),
    }
