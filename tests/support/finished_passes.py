"""Passes whose output is committed, without the work of making it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune_runner.committed import find_committed, input_digests
from finetune_runner.prepared import required
from finetune_runner.store.manifest import Manifest
from runner_place import Place

FILES = {
    "lora": ("adapter_config.json", "adapter_model.safetensors"),
    "merge_adapter_weights": ("config.json", "model.safetensors"),
    "model_builder": ("genai_config.json", "model.onnx", "deep/model.onnx.data"),
    "evaluate": ("metrics.json",),
    "plugin": ("config.json", "model.safetensors"),
}


def finish_passes(
    place: Place,
    names: Sequence[str],
    *,
    spec: dict[str, Any] | None = None,
    text: str = "content",
    metrics: dict[str, str] | None = None,
    again: bool = False,
) -> dict[str, Manifest]:
    """Commits an output of the right shape for each of a prepared job's passes.

    Args:
        again: replace what is committed already.
    """
    job, made = place.job(spec), {}
    pinned = required(job)
    for name in names:
        step, key = job.plan.pass_named(name), pinned.key_of(name)
        committed = find_committed(job, pinned)
        if again and name in committed:
            job.cache.forget(key, committed[name])
        inputs = input_digests(job, pinned, step, committed)
        assert inputs is not None, f"{name} works on what is not committed"
        folder = _output(place.root / "made" / name, FILES[step.spec.variant], text)
        made[name], _ = job.cache.commit(
            key,
            folder,
            attempt=job.layout.pod_uid,
            kind=step.spec.variant,
            pass_version=1,
            inputs=inputs,
            metrics=metrics or {},
            libraries={},
        )
    return made


def _output(folder: Path, names: Sequence[str], text: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}: {text}")
    return folder
