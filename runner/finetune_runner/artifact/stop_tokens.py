"""Which tokens end a sequence."""

import json
from pathlib import Path
from typing import Any

GENAI_CONFIG = "genai_config.json"


def stop_tokens(directory: Path, tokenizer_eos: int) -> frozenset[int]:
    """The tokenizer's end-of-sequence token, and what the model's own files name besides, such as <end_of_turn>."""
    generation = _read(directory / "generation_config.json").get("eos_token_id")
    genai = _read(directory / GENAI_CONFIG).get("model", {}).get("eos_token_id")
    return frozenset({tokenizer_eos, *token_ids(generation), *token_ids(genai)})


def token_ids(value: int | list[int] | None) -> list[int]:
    """What eos_token_id names: one token, several or none."""
    if value is None:
        return []
    return [value] if isinstance(value, int) else value


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
