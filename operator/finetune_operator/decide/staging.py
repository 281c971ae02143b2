"""Stages: in order, one Job at a time, none for a stage whose passes are all committed."""

from finetune_api.plan import Stage
from finetune_operator.decide.at_work import described
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.grace import grace_seconds
from finetune_operator.decide.last_word import gave_way_to
from finetune_operator.decide.preparation import prepare_again, prepare_to_wait
from finetune_operator.decide.queueing import QUEUED, queued
from finetune_operator.decision import CreateJob
from finetune_operator.manifests.job import build_stage_job


def run_stages(case: Case) -> Verdict:
    """The next stage that has something left to do."""
    for stage in case.plan.stages:
        if case.done(stage):
            continue
        child = case.observed.child("stage", case.attempt, stage.index)
        if child and (gave_way := gave_way_to(child)):
            return prepare_to_wait(case, gave_way)
        if child:
            return prepare_again(case, f"the last word of {child.name} is lost or incomplete")
        return _started(case, stage)
    return Verdict(case.status, "Finishing", "all passes are committed")


def _started(case: Case, stage: Stage) -> Verdict:
    manifest = build_stage_job(
        case.document,
        stage,
        case.attempt,
        case.settings,
        case.remaining_seconds,
        grace_seconds=grace_seconds(case.status, stage),
        digest=case.status.document_digest,
    )
    create = CreateJob(manifest)
    own = {step.name for step in stage.passes}
    passes = [
        step.model_copy(update={"job_name": create.name}) if step.name in own and not step.cache_hit else step
        for step in case.status.passes
    ]
    status = case.status.model_copy(update={"passes": passes})
    queue = stage.system.queue_name
    reason, message = (QUEUED, queued(create.name, queue)) if queue else ("Running", described(case, stage))
    return Verdict(status, reason, message, actions=(create,), stage=stage)
