"""Further tokens that end a text, in generation_config.json and genai_config.json: where every runtime looks."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from finetune_runner.artifact.stop_tokens import GENAI_CONFIG, stop_tokens, token_ids
from finetune_runner.passes.model_files import GENERATION_CONFIG

EOS = "eos_token_id"


def write_end_mark(base: Path, adapter: Path, mark: int | None, eos: int) -> None:
    """Beside an adapter, its base's generation_config.json with one more token; nothing where the base stops at it.

    Args:
        base: the model's directory.
        adapter: the adapter's.
        mark: the token, if any.
        eos: the tokenizer's end-of-sequence token.
    """
    stops = stop_tokens(base, eos)
    if mark is None or mark in stops:
        return
    file = base / GENERATION_CONFIG
    settings = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    _write(adapter / GENERATION_CONFIG, settings | {EOS: sorted({*stops, mark})})


def stop_exported_at_marks(adapters: Iterable[Path], exported: Path) -> None:
    """The exported base stops where the adapters beside it were tuned to."""
    files = [file for adapter in adapters if (file := adapter / GENERATION_CONFIG).is_file()]
    if not files:
        return
    genai = exported / GENAI_CONFIG
    document = json.loads(genai.read_text(encoding="utf-8"))
    named = [json.loads(file.read_text(encoding="utf-8")).get(EOS) for file in files]
    document["model"][EOS] = sorted({token for value in named for token in token_ids(value)})
    _write(genai, document)


def _write(file: Path, document: dict[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=4) + "\n", encoding="utf-8")
