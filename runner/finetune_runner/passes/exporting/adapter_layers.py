"""What a LoRA adapter is made of, and whether an ONNX adapter file and the graph of another one have a place for it."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.model_files import ADAPTER_WEIGHTS

FACTORS_ALONE = {
    "use_dora": "magnitudes",
    "modules_to_save": "modules trained in full",
    "lora_bias": "biases",
    "trainable_token_indices": "embeddings of new tokens",
}
"""Settings of peft's LoRA that bring more than two factors for each layer, and what they bring."""
SHOWN = 3


def require_plain_lora(adapter: Path, path: str) -> None:
    """That an adapter is all in its factors: the builder drops what else it does not know.

    Args:
        adapter: its directory.
        path: where it is named in the spec.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    settings = _settings(adapter)
    if settings.get("peft_type") != "LORA":
        found = f"a {settings.get('peft_type')} adapter, not LoRA"
    elif extra := [what for setting, what in FACTORS_ALONE.items() if settings.get(setting)]:
        found = f"a LoRA adapter with {' and '.join(extra)}"
    else:
        return
    raise FineTuneError(
        Reason.MODEL_UNSUPPORTED,
        f"the adapter is {found}: an ONNX adapter holds two factors for each layer and nothing else",
        remedy="Tune with lora, qlora or loftq, or merge the adapter and export the model with modelBuilder.",
        path=path,
    )


def require_same_layers(first: Path, other: Path, path: str) -> None:
    """That an adapter goes over the graph that is made with another one; ranks may differ, layers may not.

    Args:
        first: directory of the adapter that the graph is made with.
        other: the adapter's own.
        path: where it is named in the spec.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    if first == other:
        return
    graph, own = _layers(first, path), _layers(other, path)
    if graph == own:
        return
    parts = [(own - graph, "lies on {} too"), (graph - own, "does not lie on {}")]
    found = " and ".join(how.format(_some(layers)) for layers, how in parts if layers)
    raise FineTuneError(
        Reason.MODEL_UNSUPPORTED,
        f"the adapter {found}, unlike the one that the graph is made with",
        remedy="Give both tuning passes the same targetModules, or export it by an extractAdapters pass of its own.",
        path=path,
    )


def _settings(adapter: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    return settings


def _layers(adapter: Path, path: str) -> frozenset[str]:
    """The names of the layers that have factors."""
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        message = f"an adapter without {ADAPTER_WEIGHTS} can't be told to lie on the same layers as another"
        remedy = "Save it in safetensors, or export it by an extractAdapters pass of its own."
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy, path=path)
    with safe_open(adapter / ADAPTER_WEIGHTS, framework="numpy") as weights:
        return frozenset(name.partition(".lora_")[0] for name in weights.keys())  # noqa: SIM118  it is no mapping


def _some(layers: frozenset[str]) -> str:
    shown = ", ".join(sorted(layers)[:SHOWN])
    return shown + (f" and {len(layers) - SHOWN} more" if len(layers) > SHOWN else "")
