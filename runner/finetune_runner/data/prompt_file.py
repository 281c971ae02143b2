"""prompt.json: how rows became text travels with the model, so that whoever runs it writes the same prompts."""

import json
import shutil
from pathlib import Path

from finetune_api.resource.data import Preprocess

NAME = "prompt.json"


def write_prompt(directory: Path, preprocess: Preprocess) -> None:
    text = json.dumps(preprocess.to_wire(), indent=2, ensure_ascii=False)
    (directory / NAME).write_text(text + "\n", encoding="utf-8")


def prompt_name(adapter: str) -> str:
    """What the file of one of several adapters is called."""
    return f"{adapter}.{NAME}"


def carry_prompt(source: Path, target: Path, name: str = NAME) -> None:
    """Copies it, where there is one, under a name: the base model has none."""
    if (source / NAME).is_file():
        shutil.copyfile(source / NAME, target / name)
