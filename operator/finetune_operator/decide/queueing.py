"""Queueing: what is said of a Job that Kueue, or somebody else, keeps suspended. No limit of ours counts meanwhile."""

from finetune_operator.conditions import moment
from finetune_operator.decide.case import Case
from finetune_operator.observed import Child, Queueing

QUEUED = "Queued"
"""Reason of the Reconciling condition."""
FIRST_SECONDS, LAST_SECONDS = 2, 60
NAMED = 3
"""Of those ahead in the queue."""


def sentence(child: Child) -> str:
    """What a suspended Job waits for."""
    if not child.queue:
        return f"job {child.name} is suspended, not by the operator and in no queue: resume it"
    said, waits = child.queueing, queued(child.name, child.queue)
    if said is None:
        return waits
    if said.unreadable:
        return f"{waits}; what Kueue says can't be read: {said.unreadable}"
    if not said.workload:
        return f"{waits}; Kueue has not taken it up yet"
    return ": ".join(filter(None, (_place(child.queue, said), said.words)))


def queued(job: str, queue: str) -> str:
    """What is known without Kueue."""
    return f"job {job} waits in local queue {queue} until Kueue admits it"


def _place(queue: str, said: Queueing) -> str:
    """Waiting for quota in cluster queue gpus, position 2 behind job-other-1 (local queue team-a, workload …)"""
    what = "admission" if said.reserved else "quota"
    where = f" in cluster queue {said.cluster_queue}" if said.cluster_queue else ""
    position = f", position {said.position}{_behind(said.ahead)}" if said.position else ""
    return f"waiting for {what}{where}{position} (local queue {queue}, workload {said.workload})"


def _behind(ahead: tuple[str, ...]) -> str:
    """Who is ahead of it in its own local queue: what others wait for is not the job's to read."""
    if not ahead:
        return ""
    more = f" and {len(ahead) - NAMED} more" if len(ahead) > NAMED else ""
    return f" behind {', '.join(ahead[:NAMED])}{more}"


def seconds_until_asked(case: Case) -> int | None:
    """Until Kueue is to be asked again: soon at first, later seldom; None while nothing queues.

    Its Workloads are not watched, since a watch would bring everybody's. That a Job is admitted is seen at once.
    """
    if not any(child.queueing for child in case.observed.live_children):
        return None
    known = case.status.waiting
    since = moment(known.since) if known and known.reason == QUEUED else case.observed.now
    waited = int((case.observed.now - since).total_seconds())
    return min(max(waited, FIRST_SECONDS), LAST_SECONDS)
