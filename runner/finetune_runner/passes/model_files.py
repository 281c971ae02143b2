"""The files of a model's directory that passes carry along unchanged."""

import shutil
from pathlib import Path

from finetune_runner.data.file_tokenizer import CHAT_TEMPLATE

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    CHAT_TEMPLATE,
)
GENERATION_CONFIG = "generation_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""Of an adapter, as peft names it."""
NOTICES = ("LICENSE*", "NOTICE*", "*TERMS*", "USE_POLICY*")
"""What a model's licence wants to be passed on with what is made from it."""


def carry_tokenizer(source: Path, target: Path) -> None:
    """Copies the tokenizer byte for byte: loading and saving would rewrite it."""
    for name in TOKENIZER_FILES:
        _copy(source / name, target)


def carry_generation_config(source: Path, target: Path) -> None:
    """Copies the defaults of generation, among them further tokens that end a text."""
    _copy(source / GENERATION_CONFIG, target)


def carry_notices(source: Path, target: Path) -> None:
    for pattern in NOTICES:
        for file in sorted(source.glob(pattern)):
            _copy(file, target)


def _copy(file: Path, target: Path) -> None:
    if file.is_file():
        shutil.copyfile(file, target / file.name)
