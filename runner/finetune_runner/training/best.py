"""The adapter of the best evaluation, and when there is no better one to hope for."""

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from finetune_runner.training.held_out import EVALUATED, LOSS

log = logging.getLogger(__name__)

WEIGHTS = "best.safetensors"


@dataclass
class Standing:
    """How evaluations have gone so far."""

    figures: dict[str, float] = field(default_factory=dict)
    """Of the best one, by their names in the log; empty before the first."""
    step: int = 0
    """Where it was found."""
    since: int = 0
    """Evaluations since then, none of them better."""

    def add(self, figures: dict[str, float], step: int, metric: str) -> bool:
        """An evaluation; whether it is the best by a metric of its figures: as good as another is not better."""
        sign = -1 if metric == EVALUATED + LOSS else 1
        if not self.figures or sign * figures[metric] > sign * self.figures[metric]:
            self.figures, self.step, self.since = dict(figures), step, 0
            return True
        self.since += 1
        return False


class Best(TrainerCallback):  # type: ignore[misc]
    """Follows the evaluations."""

    def __init__(self, model: Any, *, keep: bool, patience: int, metric: str = LOSS) -> None:
        """What is done about them.

        Args:
            model: with the adapter.
            keep: remember the best one's trained weights.
            patience: evaluations without a better one that end training; 0: it goes on.
            metric: what makes one better, by its name in the log: the loss by being lower, others by being higher.
        """
        self.model = model
        self.keep = keep
        self.patience = patience
        self.metric = metric
        self.standing = Standing()
        self._weights: dict[str, torch.Tensor] = {}

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:  # noqa: ARG002
        if self.standing.add(metrics, state.global_step, EVALUATED + self.metric) and self.keep:
            self._weights = {name: p.detach().to("cpu", copy=True) for name, p in self._trained()}
        if self.patience and self.standing.since >= self.patience:
            control.should_training_stop = True
            log.info("step %d: no better since step %d, so training ends", state.global_step, self.standing.step)

    @torch.no_grad()
    def load(self) -> None:
        """Gives the model the best weights back, where they are kept."""
        for name, parameter in self._trained() if self._weights else ():
            parameter.copy_(self._weights[name])

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes the weights; returns the rest of what `restore` needs, as JSON."""
        if self._weights:
            save_file({name: weight.contiguous() for name, weight in self._weights.items()}, folder / WEIGHTS)
        return asdict(self.standing)

    def restore(self, folder: Path, state: dict[str, Any]) -> None:
        """Goes on from what `save` left."""
        self.standing = Standing(**state)
        self._weights = load_file(folder / WEIGHTS) if (folder / WEIGHTS).is_file() else {}

    def _trained(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
