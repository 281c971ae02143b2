"""Queueing: what is said of a Job that Kueue, or somebody else, keeps suspended. No limit of ours counts meanwhile."""

from finetune_operator.observed import Child

QUEUED = "Queued"
"""Reason of the Reconciling condition."""


def sentence(child: Child) -> str:
    """What a suspended Job waits for."""
    if not child.queue:
        return f"job {child.name} is suspended, not by the operator and in no queue: resume it"
    return queued(child.name, child.queue)


def queued(job: str, queue: str) -> str:
    return f"job {job} waits in local queue {queue} until Kueue admits it"
