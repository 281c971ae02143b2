"""What a training run tells while it goes on: each step to progress, and every few steps all figures to the log."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from finetune_runner.memory.fit import MEMORY_FIGURE, in_gibibytes
from finetune_runner.passes.telemetry import Telemetry
from finetune_runner.training.device_peaks import peak_flops
from finetune_runner.training.peak_memory import peak_memory

if TYPE_CHECKING:
    from finetune_runner.training.trainer import AdapterTrainer

log = logging.getLogger(__name__)

GIBIBYTE = 2**30

OF_THE_MACHINE = ("runtime", "per_second", "_seconds", "flos", "padding", "memory", "utilisation")
"""Parts of the names of logged figures that tell of the run and not of what it makes."""


def telemetry(trainer: "AdapterTrainer", logged: Mapping[str, Any]) -> Telemetry:
    """The figures now.

    Args:
        trainer: that runs.
        logged: what Trainer has to log.
    """
    return Telemetry(
        learning_rate=logged.get("learning_rate"),
        gradient_norm=logged.get("grad_norm"),
        padding=trainer.meter.padding,
        step=trainer.step_time.medians,
        memory=peak_memory(trainer.args.device.type),
        utilisation=utilisation(trainer),
    )


def utilisation(trainer: "AdapterTrainer") -> float | None:
    """Model FLOPs utilisation of the run so far; None where device or model are not known that well."""
    device = trainer.args.device
    peak = peak_flops(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    return trainer.meter.flops_per_second / peak if peak and trainer.meter.flops else None


def measured(trainer: "AdapterTrainer") -> dict[str, float]:
    """How fast it goes and what it takes, by the names that log and trackers know."""
    figures: dict[str, float | None] = {
        "tokens_per_second": trainer.meter.tokens_per_second,
        "padding_share": trainer.meter.padding,
    }
    if step := trainer.step_time.medians:
        figures |= {f"{part}_seconds": seconds for part, seconds in asdict(step).items()}
    memory = peak_memory(trainer.args.device.type)
    figures["host_peak_memory_gib"] = memory.host / GIBIBYTE
    if memory.accelerator is not None:
        figures["peak_memory_gib"] = memory.accelerator / GIBIBYTE
    figures["model_flops_utilisation"] = utilisation(trainer)
    return {name: float(f"{value:.4g}") for name, value in figures.items() if value is not None}


def run_figures(trainer: "AdapterTrainer", estimated: int | None) -> dict[str, str]:
    """How the run went, as headline figures.

    Args:
        trainer: that has ended.
        estimated: bytes of memory that prepare took for the most there can be.
    """
    figures = {"tokensPerSecond": f"{trainer.meter.tokens_per_second:.1f}"}
    if trainer.lowered_micro_batch:
        figures["microBatch"] = str(trainer.lowered_micro_batch)
    if (share := utilisation(trainer)) is not None:
        figures["mfuPercent"] = f"{100 * share:.1f}"
    if (padding := trainer.meter.padding) is not None:
        figures["paddingPercent"] = f"{100 * padding:.1f}"
    memory = peak_memory(trainer.args.device.type)
    sizes = {
        "peakMemoryGiB": memory.accelerator,
        MEMORY_FIGURE: estimated,
        "hostMemoryGiB": memory.host,
        "reservedMemoryGiB": memory.reserved,
    }
    return figures | {name: in_gibibytes(size) for name, size in sizes.items() if size is not None}


def step_figures(trainer: "AdapterTrainer") -> dict[str, str]:
    """What the latest steps took, in seconds; medians."""
    trainer.step_time.read()
    step = trainer.step_time.medians
    return {f"{part}Seconds": f"{seconds:.4g}" for part, seconds in asdict(step).items()} if step else {}


def of_the_result(line: Mapping[str, Any]) -> dict[str, Any]:
    """What of a line of the log is the same in every run, in order of name, as it comes out of a checkpoint."""
    return {name: line[name] for name in sorted(line) if not any(part in name for part in OF_THE_MACHINE)}


class Telling(TrainerCallback):  # type: ignore[misc]
    """Tells each step as it ends, and logs what Trainer has to log."""

    def __init__(self, trainer: "AdapterTrainer") -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if state.global_step:
            log.info("resumed from step %d of %d", state.global_step, state.max_steps)
            self.trainer.report(
                step=state.global_step,
                total_steps=state.max_steps,
                resumed_from=state.global_step,
                micro_batch=self.trainer.lowered_micro_batch,
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        meter = self.trainer.meter
        self.trainer.step_time.end()
        meter.end_step()
        self.trainer.check_course()
        self.trainer.report(
            step=state.global_step,
            total_steps=state.max_steps,
            loss=meter.loss,
            tokens_per_second=meter.tokens_per_second,
            micro_batch=self.trainer.lowered_micro_batch,
        )

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:  # noqa: ARG002
        log.info("step %d of %d: %s", state.global_step, state.max_steps, logs)
        if "loss" in logs:
            self.trainer.report(
                step=state.global_step, total_steps=state.max_steps, telemetry=telemetry(self.trainer, logs)
            )
