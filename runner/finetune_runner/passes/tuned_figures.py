"""What is told of a tuning pass: losses, rows, and how it was made to fit."""

from dataclasses import asdict

from finetune_runner.data.statistics import Statistics
from finetune_runner.memory.choice import Choice
from finetune_runner.memory.fit import in_gibibytes
from finetune_runner.training.held_out import EVALUATED, EXACT_MATCH, LOSS, TOKEN_ACCURACY
from finetune_runner.training.trainer import AdapterTrainer

TOLD = {LOSS: "evalLoss", TOKEN_ACCURACY: "evalTokenAccuracy", EXACT_MATCH: "evalExactMatch"}
"""Name in the log of what held-out rows say to its headline figure."""


def training_figures(trainer: AdapterTrainer) -> dict[str, str]:
    """Headline figures: mean loss over training, and what held-out rows say of the adapter that is kept."""
    figures = {"trainLoss": f"{trainer.finite(trainer.meter.mean_loss):.4f}"}
    if trainer.eval_dataset:
        last, best = _last_evaluation(trainer), trainer.best
        trainer.finite(last[EVALUATED + LOSS])
        if best.keep and best.standing.figures:
            best.load()
            last, figures["bestStep"] = best.standing.figures, str(best.standing.step)
        figures |= {told: f"{last[EVALUATED + name]:.4f}" for name, told in TOLD.items() if EVALUATED + name in last}
    return figures


def _last_evaluation(trainer: AdapterTrainer) -> dict[str, float]:
    """The figures after the last step, which evaluation during training may have found already."""
    end = trainer.state.global_step
    known = (line for line in trainer.state.log_history if EVALUATED + LOSS in line and line["step"] == end)
    return next(known, None) or trainer.evaluate()


def row_counts(statistics: Statistics) -> dict[str, str]:
    """What a table of figures tells about the training rows."""
    named = ("rows", "badRows", "duplicates", "truncated", "sequences", "tokens")
    counts = asdict(statistics) | {"badRows": statistics.bad_rows, "duplicates": statistics.duplicates}
    return {name: str(counts[name]) for name in named}


def fitting_figures(trainer: AdapterTrainer, fitting: Choice | None) -> dict[str, str]:
    estimate = {"memoryEstimateGiB": in_gibibytes(fitting.predicted.total)} if fitting else {}
    return estimate | {"checkpointing": "on" if trainer.args.activation_checkpointing else "off"}
