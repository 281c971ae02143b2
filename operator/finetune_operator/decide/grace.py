"""Grace: how long a stage's pod has to stop, fixed when its Job is made."""

from finetune_api.messages import CHECKPOINT_FIGURE
from finetune_api.plan import Stage
from finetune_api.resource.status import FineTuneJobStatus

STEP_SECONDS = 30
"""For the running step and the last word, beside the checkpoint; fewer where the system says fewer in all."""
MEBIBYTES_A_SECOND = 20
"""That a checkpoint is taken to go into the store with."""
MOST_SECONDS = 3600


def grace_seconds(status: FineTuneJobStatus, stage: Stage) -> int:
    """Seconds from SIGTERM to SIGKILL: what the system says, and more where the largest checkpoint takes longer.

    Args:
        status: with what prepare has found out about the passes.
        stage: whose pod it is.
    """
    own = {step.name for step in stage.passes}
    figures = (figure for step in status.passes if step.name in own for figure in step.metrics)
    largest = max((_mebibytes(figure.value) for figure in figures if figure.name == CHECKPOINT_FIGURE), default=0)
    least = stage.system.termination_grace_period_seconds
    needed = min(STEP_SECONDS, least) + largest // MEBIBYTES_A_SECOND
    return max(least, min(needed, MOST_SECONDS))


def _mebibytes(value: str) -> int:
    """0 for what is no size: a figure is what a pod has said, be its image whose it may."""
    return int(value) if value.isascii() and value.isdecimal() else 0
