"""The stage that is at work: while it is, nothing else is started, whatever is known of the others.

It can be lost that prepare was read, and the stage started on its word; then prepare is asked again after the stage.
"""

from finetune_api.plan import Stage
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.pod_limit import told
from finetune_operator.decide.pod_trouble import trouble


def at_work(case: Case) -> Verdict | None:
    """What goes on in the live Job of a stage; None where there is none."""
    for stage in case.plan.stages:
        child = case.observed.child("stage", case.attempt, stage.index)
        if child and child.live:
            found = trouble(child)
            reason, message = (found.kind, told(case, found)) if found else ("Running", described(case, stage))
            return Verdict(case.status, reason, message, stage=stage, child=child)
    return None


def described(case: Case, stage: Stage) -> str:
    names = ", ".join(step.name for step in stage.passes)
    return f"stage {stage.index + 1} of {len(case.plan.stages)} on system {stage.system.name}: {names}"
