"""Settling: nothing new starts while something old still ends, so that no two pods ever work on one job."""

from finetune_operator.decide.case import Case, Verdict, stop
from finetune_operator.observed import Child


def settle(case: Case) -> Verdict | None:
    """Waits for Jobs being deleted and pods that outlive theirs; stops Jobs of attempts that no longer count."""
    outdated = tuple(child for child in case.observed.live_children if not _counts(case, child))
    waiting = [*(child.name for child in outdated), *case.observed.ending]
    if not waiting:
        return None
    message = f"waiting for {', '.join(waiting)} to end"
    return Verdict(case.status, "Settling", message, actions=stop(outdated))


def _counts(case: Case, child: Child) -> bool:
    return child.attempt == case.attempt and (child.kind == "prepare" or child.stage in range(len(case.plan.stages)))
