"""How far a job's candidates have come, by what lies in the store."""

from finetune_api.gates import Standing, standing
from finetune_api.plan import PlannedPass
from finetune_runner.committed import Committed
from finetune_runner.gating.gates import Verdict, judge
from finetune_runner.job import Job


def verdicts(job: Job, committed: Committed) -> list[Verdict]:
    """What the gates come to so far, in their order."""
    return judge(job.spec, {name: manifest.metrics for name, manifest in committed.items()})


def standing_of(job: Job, committed: Committed) -> Standing:
    """Whose turn it is."""
    return standing(job.spec, job.plan, committed, [verdict.passed for verdict in verdicts(job, committed)])


def to_make(job: Job, committed: Committed) -> list[PlannedPass]:
    """The passes that are to be made now, in the order of the stages."""
    turn = standing_of(job, committed).turn
    ordered = (step for stage in job.plan.stages for step in stage.passes)
    return [step for step in ordered if step.turn <= turn and step.name not in committed]
