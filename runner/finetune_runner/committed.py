"""Which passes need no run: their output is committed, and was made from what is committed upstream now."""

from collections.abc import Mapping

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import BASE, Plan, PlannedPass
from finetune_runner.cache_keys.lineage import origins, resolved
from finetune_runner.job import Job
from finetune_runner.prepared import Prepared
from finetune_runner.store.manifest import Manifest

Committed = Mapping[str, Manifest]
"""Name of a pass to its committed output."""


def find_committed(job: Job, prepared: Prepared) -> dict[str, Manifest]:
    """The committed outputs of all passes, in the plan's order."""
    found: dict[str, Manifest] = {}
    for step in job.plan.passes:
        inputs = input_digests(job, prepared, step, found)
        manifest = job.cache.find(prepared.key_of(step.name), inputs) if inputs else None
        if manifest:
            found[step.name] = manifest
    return found


def input_digests(job: Job, prepared: Prepared, step: PlannedPass, committed: Committed) -> dict[str, str] | None:
    """Role to the digest of what a pass is made from; None while something upstream is not committed."""
    digests = {BASE: prepared.base.digest} | {name: manifest.digest for name, manifest in committed.items()}
    return resolved(origins(job.plan, step), digests)


def verified_on(plan: Plan, name: str, committed: Committed) -> str:
    """The execution provider that a pass's ONNX model was seen to run on: by itself, or by what measured it."""
    measured = [step.name for step in plan.passes if step.spec.evaluate and step.input == name]
    seen = (committed[step].verified_on for step in (name, *measured) if step in committed)
    return next((provider for provider in seen if provider), "")


def gone(job: Job, name: str) -> FineTuneError:
    """What ends a stage that needs the output of an earlier stage's pass, and does not find it."""
    return FineTuneError(
        Reason.ARTIFACT_CORRUPT,
        f"the output of pass {name!r} is not in the store",
        remedy="It is made anew; check who else writes to the store.",
        path=job.store.path,
    )
