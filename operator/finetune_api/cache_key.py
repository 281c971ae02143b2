"""What a pass's output is found by: a digest of everything that decides it. Pure.

Keys follow inputs, not the list's order or the passes' names, so that two jobs that do the same share the work.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from finetune_api.messages import CACHE_KEY_CHARS

PASS_VERSIONS: dict[str, int] = {
    "lora": 5,
    "qlora": 7,
    "dora": 5,
    "loftq": 6,
    "loha": 5,
    "lokr": 5,
    "merge_adapter_weights": 4,
    "model_builder": 6,
    "extract_adapters": 4,
    "evaluate": 6,
    "plugin": 1,
}
"""Raised when a pass's code changes what it makes."""


def digest_of(document: Any) -> str:
    """sha256 (hex) of a JSON document in canonical form."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def pass_key(
    *,
    kind: str,
    config: Mapping[str, Any],
    inputs: Mapping[str, str],
    data: Mapping[str, str],
    libraries: Mapping[str, str],
    only_job: str = "",
) -> str:
    """The cache key of one pass: 32 hex digits (128 bits).

    Args:
        kind: the pass's variant, such as lora.
        config: its normalised config, references to data configs and evaluators replaced by what they say.
        inputs: role (input, base) to the cache key of the pass it works on, or the base model's digest.
        data: role (train_data, eval_data, data) to the digest of the rows.
        libraries: name to version of the libraries that decide the output.
        only_job: UID of the job that alone shall find the output; empty: whoever asks for the same.
    """
    document = {
        "kind": kind,
        "version": PASS_VERSIONS[kind],
        "config": config,
        "inputs": inputs,
        "data": data,
        "libraries": libraries,
    }
    if only_job:
        document["onlyJob"] = only_job
    return digest_of(document)[:CACHE_KEY_CHARS]
