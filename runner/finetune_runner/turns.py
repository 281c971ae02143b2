"""Two jobs that need the same output make it once: the second waits in its prepare step, which holds no accelerator.

A stage that finds another job at work on its next pass does not wait: it gives way and ends, and prepare waits.
"""

import logging
import time
from dataclasses import dataclass

from finetune_api.messages import GaveWay
from finetune_api.plan import PlannedPass
from finetune_runner.committed import Committed, find_committed
from finetune_runner.gating.candidates import to_make
from finetune_runner.job import Job
from finetune_runner.outcome import Outcome
from finetune_runner.prepared import Prepared
from finetune_runner.progress.state import ProgressState
from finetune_runner.store.lease import Lease, Leases

log = logging.getLogger(__name__)

POLL_SECONDS = 5
LOOKS = 12
"""In the time of a lease, at least: time without looks does not count for its expiry."""
MOST_SECONDS = 24 * 3600
"""How long another job is waited for, though it says that it works; then both do."""


@dataclass(frozen=True)
class _Wait:
    step: PlannedPass
    key: str
    lease: Lease


def leases_of(job: Job) -> Leases:
    """The leases of this job's namespace, as this pod takes them."""
    return Leases(job.cache, job=job.document.uid, name=job.document.name, pod=job.layout.pod_uid)


def await_turn(
    job: Job, pinned: Prepared, committed: Committed, outcome: Outcome, progress: ProgressState
) -> Committed:
    """Waits while another job makes what this one needs next; returns what is committed then.

    Args:
        job: the job.
        pinned: with the keys of its passes.
        committed: what was committed a moment ago.
        outcome: says meanwhile what is waited for.
        progress: so does it.
    """
    leases, began = leases_of(job), time.monotonic()
    wait = _next(job, pinned, committed, leases)
    while wait:
        other, name = wait.lease.name, wait.step.name
        log.warning("job %s makes pass %s, which this one needs too: waiting for it", other, name)
        outcome.gave_way = GaveWay(index=wait.step.index, job=other)
        progress.tell(outcome.message(None, first=frozenset()))
        progress.start(name)
        committed = _outwaited(job, pinned, wait, leases, began + MOST_SECONDS)
        wait = _next(job, pinned, committed, leases)
    outcome.gave_way = None
    progress.rest()
    return committed


def _next(job: Job, pinned: Prepared, committed: Committed, leases: Leases) -> _Wait | None:
    """The first pass to make, if another job makes it."""
    left = to_make(job, committed)
    if not left:
        return None
    step = left[0]
    key = pinned.key_of(step.name)
    lease = leases.other(key)
    return _Wait(step, key, lease) if lease else None


def _outwaited(job: Job, pinned: Prepared, wait: _Wait, leases: Leases, deadline: float) -> Committed:
    """What is committed once a pass is, or no other job makes it any more."""
    while True:
        time.sleep(min(POLL_SECONDS, wait.lease.seconds / LOOKS))
        committed = find_committed(job, pinned)
        if wait.step.name in committed:
            return committed
        if time.monotonic() >= deadline:
            leases.end(wait.key, wait.lease)
        elif leases.other(wait.key):
            continue
        else:
            leases.end_expired(wait.key)
        log.info("job %s does not make pass %s any more", wait.lease.name, wait.step.name)
        return find_committed(job, pinned)  # it may have been committed just before
