"""The config of examples/olive with a tiny model and a few rows in the place of its own, in a folder."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command_line import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "olive"
MODEL, ROWS = "model-cache/microsoft/phi-3-mini", "dataset/dataset-classification.json"
DOWNLOADED = "questions/train_data.json"
"""Where an import says that rows of Azure ML are to be put."""
TONES = ("joy", "sadness", "fear", "surprise")


@dataclass(frozen=True)
class OliveDesk:
    """A folder with an Olive config and what it names."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "olive-config.json"

    @property
    def mount(self) -> str:
        """The claim that an import expects files in, for finetune run."""
        return f"olive-files={self.folder}"

    def read(self) -> dict[str, Any]:
        return json.loads(self.config.read_text())

    def write(self, config: dict[str, Any]) -> None:
        self.config.write_text(json.dumps(config))


def make_olive_desk(folder: Path, model: Path) -> OliveDesk:
    """The example, whose model is one of this machine: the other way of naming it that there was in 2024.

    Args:
        folder: an empty one.
        model: a transformers directory.
    """
    desk = OliveDesk(folder)
    shutil.copytree(model, folder / MODEL)
    rows = [{"phrase": f"phrase number {number} of many", "tone": TONES[number % 4]} for number in range(24)]
    _write(folder / ROWS, rows)
    _write(folder / DOWNLOADED, [{"Question": "Why?", "Best Answer": "Because."}])
    shutil.copy(EXAMPLE / "conda.yaml", folder)
    config = json.loads((EXAMPLE / "olive-config.json").read_text())
    hub = {"model_name": MODEL, "task": "text-generation", "model_loading_args": {"trust_remote_code": True}}
    config["input_model"] = {"type": "PyTorchModel", "config": {"hf_config": hub}}
    desk.write(config)
    return desk


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps(rows, indent=1))
