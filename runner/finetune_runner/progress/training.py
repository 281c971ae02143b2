"""A training loop's figures as status and Prometheus have them."""

from collections.abc import Iterator
from dataclasses import asdict

from finetune_api.resource.progress import StepSeconds, TrainingProgress
from finetune_runner.passes.telemetry import PeakMemory, Telemetry

Gauge = tuple[str, str, dict[str, float]]
"""Name without prefix, what it means, and label value ("" for none) to value."""


def training_progress(told: Telemetry) -> TrainingProgress:
    """The figures as text."""
    step, memory = told.step, told.memory
    return TrainingProgress(
        learning_rate=_text(told.learning_rate),
        gradient_norm=_text(told.gradient_norm),
        padding_percent=_text(None if told.padding is None else 100 * told.padding),
        step_seconds=StepSeconds(**{part: _text(seconds) for part, seconds in asdict(step).items()}) if step else None,
        accelerator_peak_bytes=memory.accelerator if memory else None,
        accelerator_reserved_bytes=memory.reserved if memory else None,
        host_peak_bytes=memory.host if memory else None,
        model_flops_utilisation_percent=_text(None if told.utilisation is None else 100 * told.utilisation),
    )


def training_gauges(told: Telemetry) -> Iterator[Gauge]:
    """The figures in base units, as Prometheus wants them (https://prometheus.io/docs/practices/naming/)."""
    if told.learning_rate is not None:
        yield "training_learning_rate", "Learning rate of the last logged step.", {"": told.learning_rate}
    if told.gradient_norm is not None:
        yield "training_gradient_norm", "L2 norm of the gradient before clipping.", {"": told.gradient_norm}
    if told.padding is not None:
        yield "training_padding_ratio", "Share of the batches' positions that hold no token.", {"": told.padding}
    if told.step is not None:
        text = "Seconds of an optimizer step that a part of it takes, median over the latest steps."
        yield "training_step_seconds", text, asdict(told.step)
    if told.memory is not None:
        yield from _memory_gauges(told.memory)
    if told.utilisation is not None:
        text = "Operations the model is defined by, to what the device can do."
        yield "training_model_flops_utilisation_ratio", text, {"": told.utilisation}


def _memory_gauges(memory: PeakMemory) -> Iterator[Gauge]:
    sizes = (
        ("accelerator_peak_memory_bytes", "Most memory of the accelerator in tensors.", memory.accelerator),
        ("accelerator_reserved_memory_bytes", "The same with what PyTorch keeps for more.", memory.reserved),
        ("host_peak_memory_bytes", "Most resident memory of the process.", memory.host),
    )
    for name, text, size in sizes:
        if size is not None:
            yield f"training_{name}", text, {"": size}


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
