"""What a running pass says of itself: part of a FineTuneJob's status, and what a stage's pod serves at /progress."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model

Figure = Annotated[str, StringConstraints(max_length=64)]
Timestamp = Annotated[str, StringConstraints(max_length=40)]
MOST_BYTES = 2**53
"""The API server reads a bound as a float64: it takes 2**63 - 1 for a negative number, which nothing is below."""


def bytes_field(description: str) -> Any:
    """A size in bytes that may be unknown."""
    return Field(default=None, ge=0, le=MOST_BYTES, description=description, json_schema_extra={"format": "int64"})


class StepSeconds(Model):
    """Medians over the last 100 steps, as text so that no digit is lost."""

    data: Figure = Field(description="Waiting for batches.")
    forward: Figure = Field(description="Forward pass, with the loss.")
    backward: Figure = Field(description="Backward pass.")
    optimizer: Figure = Field(description="Gradient clipping and the optimizer.")


class TrainingProgress(Model):
    """What a running tuning pass says of itself every loggingSteps."""

    learning_rate: Figure = Field(default="", description="Learning rate of the last step.")
    gradient_norm: Figure = Field(default="", description="L2 norm of the last step's gradient, before clipping.")
    padding_percent: Figure = Field(default="", description="Share of the batches' positions that hold no token.")
    step_seconds: StepSeconds | None = Field(default=None, description="What an optimizer step's time goes into.")
    accelerator_peak_bytes: int | None = bytes_field("Most memory of the accelerator in tensors, since the pass began.")
    accelerator_reserved_bytes: int | None = bytes_field("The same with what PyTorch keeps for further tensors.")
    host_peak_bytes: int | None = bytes_field("Most resident memory of the process, since it began.")
    model_flops_utilisation_percent: Figure = Field(
        default="",
        description="Operations the model is defined by, to what the device can do (arXiv:2204.02311, appendix B).",
    )


class Outage(Model):
    """A store, a source or the hub that does not answer, and is waited for."""

    message: Annotated[str, StringConstraints(max_length=1024)] = Field(
        description="Which one, by its place in the spec, and what it was at first that went wrong."
    )
    since: Timestamp = Field(description="When it was first found away.")


class Progress(Model):
    """What the running pass says of itself."""

    pass_: Annotated[str, StringConstraints(max_length=63)] = Field(alias="pass", description="Pass that is running.")
    step: int = Field(default=0, ge=0, description="Steps done.")
    total_steps: int = Field(default=0, ge=0, description="Steps in all; 0: not known.")
    percent: int = Field(default=0, ge=0, le=100, description="Share of the steps done.")
    loss: Figure = Field(default="", description="Training loss, mean over the last logged steps.")
    tokens_per_second: Figure = Field(default="", description="Training tokens a second, padding not counted.")
    eta_seconds: int | None = Field(default=None, ge=0, description="Estimated seconds until the pass ends.")
    resumed_from_step: int | None = Field(
        default=None, ge=1, description="Step of the checkpoint that this pod went on from."
    )
    checkpoint_step: int | None = Field(
        default=None,
        ge=1,
        description="Step of the newest checkpoint that the store keeps of the pass, if this pod knows one.",
    )
    micro_batch_size: int | None = Field(
        default=None, ge=1, description="Sequences in a micro-batch, where the accelerator's memory forced it down."
    )
    training: TrainingProgress | None = Field(default=None, description="Of a tuning pass: more on how it goes.")
    outage: Outage | None = Field(
        default=None,
        description="What the pass, or the pod before it begins, waits for, where that has been away for half a minute.",
    )
    last_update_time: Timestamp = Field(default="", description="When the runner last moved.")

    @property
    def without_outage(self) -> "Progress":
        """The same, of a pod that is gone and waits for nothing."""
        return self.model_copy(update={"outage": None})
