"""Patience: a pod that can't start for long fails the job, so that nothing is held for work that never begins."""

from datetime import timedelta

from finetune_api.resource.status import FailureStatus
from finetune_operator.conditions import clip, moment
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.ending import failed
from finetune_operator.decide.failure import system_path, where
from finetune_operator.decide.pod_limit import TOLD, limit_seconds, seen_since
from finetune_operator.decide.pod_trouble import Trouble, troubled
from finetune_operator.observed import Child


def lose_patience(case: Case) -> Verdict | None:
    """Failed, once a pod has been unable to start for longer than the operator waits."""
    for child, found in troubled(case.observed.live_children):
        limit, since = limit_seconds(case, found), found.since or seen_since(case, found)
        if limit is not None and since and case.observed.now >= moment(since) + timedelta(seconds=limit):
            return failed(case, _failure(case, child, found, limit))
    return None


def _failure(case: Case, child: Child, found: Trouble, limit: float) -> FailureStatus:
    reason, remedy = TOLD[found.kind]
    path = system_path(case, child)
    return FailureStatus.model_validate(
        {
            "pass": where(case, child),
            "reason": reason,
            "path": f"{path}{found.field}" if path else "",
            "message": clip(f"{found.message} (waited {limit:.0f} s)"),
            "remedy": remedy,
        }
    )
