"""Olive's way from a model and rows to an int4 model: `python olive_chain.py WORK`. Runs in the peer's environment."""

import json
import sys
from pathlib import Path
from typing import Any

from olive_tune import config

MERGE_AND_EXPORT = {
    "merge": {"type": "MergeAdapterWeights"},
    "int4": {"type": "ModelBuilder", "precision": "int4"},
}


def main(work: Path) -> None:
    """Reads WORK/task.json (see compare_chain.py); leaves the model below WORK/output."""
    task = json.loads((work / "task.json").read_text(encoding="utf-8"))
    asked = config(task, work)
    asked["passes"] |= MERGE_AND_EXPORT
    from olive.workflows import run  # noqa: PLC0415

    hand_rotary_settings_flat()
    run(asked)


def hand_rotary_settings_flat() -> None:
    """Has the builder read Gemma 3's, which transformers 5 keeps for each kind of layer; else it breaks on them."""
    from onnxruntime_genai.models import builder  # noqa: PLC0415

    class Flat:
        @staticmethod
        def from_pretrained(*arguments: Any, **named: Any) -> Any:
            read = read_config(*arguments, **named)
            per_type = getattr(read, "rope_parameters", None) or {}
            if "full_attention" in per_type:
                read.rope_local_base_freq = per_type["sliding_attention"]["rope_theta"]
                read.rope_theta = per_type["full_attention"]["rope_theta"]
                read.rope_parameters = dict(per_type["full_attention"])
            return read

    read_config = builder.AutoConfig.from_pretrained
    builder.AutoConfig = Flat


if __name__ == "__main__":
    main(Path(sys.argv[1]))
