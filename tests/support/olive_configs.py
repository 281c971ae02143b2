"""Olive configs for tests of the importer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune_cli.olive.convert import Imported, Options, convert
from finetune_cli.olive_files import FolderFiles

MODERN: dict[str, Any] = {
    "input_model": {"type": "HfModel", "model_path": "microsoft/Phi-3-mini-4k-instruct"},
    "systems": {
        "gpu": {
            "type": "LocalSystem",
            "accelerators": [{"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}],
        }
    },
    "data_configs": [
        {
            "name": "rows",
            "type": "HuggingfaceContainer",
            "load_dataset_config": {"data_name": "org/rows", "split": "train"},
            "pre_process_data_config": {"text_template": "{question} {answer}", "strategy": "line-by-line"},
        }
    ],
    "passes": {
        "tune": {"type": "LoRA", "r": 8, "train_data_config": "rows", "training_args": {"max_steps": 10}},
        "merge": {"type": "MergeAdapterWeights"},
        "export": {"type": "ModelBuilder", "precision": "int4"},
    },
    "host": "gpu",
    "target": "gpu",
}
"""With the names of Olive 0.13."""


def changed(config: Mapping[str, Any], *changes: tuple[Sequence[str | int], Any]) -> dict[str, Any]:
    """The config with values at some places; objects on the way are made where there are none."""
    result: dict[str, Any] = json.loads(json.dumps(config))
    for steps, value in changes:
        place: Any = result
        for step in steps[:-1]:
            if isinstance(place, dict):
                place.setdefault(step, {})
            place = place[step]
        place[steps[-1]] = value
    return result


def imported(config: Any, folder: Path | None = None, **options: Any) -> Imported:
    return convert(config, FolderFiles(folder or Path("/nonexistent")), Options(**options))


def spec_of(config: Any, folder: Path | None = None) -> dict[str, Any]:
    """The manifest's spec, which there must be."""
    found = imported(config, folder)
    assert found.manifest is not None, "\n".join(map(str, found.notes))
    return found.manifest["spec"]


def reports(found: Imported) -> list[str]:
    """JSON paths with what is not carried."""
    return [str(note) for note in found.notes if note.kind == "not carried"]
