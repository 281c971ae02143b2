"""The experiment trackers that training can report to, and what each needs of its pod. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """Of one tracker."""

    modules: tuple[str, ...]
    """Python modules, of which one must be in the runner's image."""
    variables: tuple[str, ...] = ()
    """Environment variables, of which one must be set: where it is, or who we are."""


TRACKERS: dict[str, Needs] = {
    "mlflow": Needs(("mlflow",), ("MLFLOW_TRACKING_URI",)),
    "wandb": Needs(("wandb",), ("WANDB_API_KEY", "WANDB_MODE")),
    "tensorboard": Needs(("tensorboard", "tensorboardX")),
}
"""By the names that transformers gives them."""
