"""A model's directory that is right in structure; its weights are a few bytes. For what never loads them."""

import json
from pathlib import Path
from typing import Any

CONFIG = {"model_type": "phi3", "architectures": ["Phi3ForCausalLM"]}


def make_fake_model(directory: Path, **config: Any) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(CONFIG | config))
    (directory / "tokenizer.json").write_text("{}")
    (directory / "tokenizer_config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"weights")
    return directory
