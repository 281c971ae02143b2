"""How much memory an export takes, measured in a process of its own: `python export_peak.py JSON`.

Counted from before the model is loaded on, libraries being there already.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from memory_peak import LEFT_TO_HEAP, Peak


class Taken(NamedTuple):
    """By one export."""

    parameters: int
    anonymous: int
    """Bytes."""
    resident: int
    """Bytes."""
    seconds: float
    processor_seconds: float


def taken(model: Path, output: Path, *, rounding_here: bool, **fields: object) -> Taken:
    """What the export of a model takes.

    Args:
        model: a transformers directory.
        output: an empty one.
        rounding_here: false: the builder and onnxruntime alone do all.
        fields: of modelBuilder, as in a manifest.
    """
    request = json.dumps({"model": str(model), "output": str(output), "rounding_here": rounding_here, "fields": fields})
    done = subprocess.run(
        [sys.executable, __file__, request],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | LEFT_TO_HEAP,
    )
    return Taken(**json.loads(done.stdout.splitlines()[-1]))


def main(model: str, output: str, *, rounding_here: bool, fields: dict[str, object]) -> None:
    from finetune_api.resource.exports import ModelBuilder
    from finetune_runner.passes.exporting import builder_child
    from finetune_runner.passes.rounding import graph
    from finetune_runner.process import leave
    from passes import child_request, inputs

    if not rounding_here:
        graph.rounding = lambda *_, **__: nullcontext()
    with tempfile.TemporaryDirectory() as scratch:
        given = inputs(Path(model), Path(output))
        request = child_request(ModelBuilder.model_validate(fields), given, Path(model), scratch, {})
        parameters = _load_libraries(model)
        began, worked = time.perf_counter(), time.process_time()
        with Peak() as peak:
            builder_child.export(**request)
        took, worked = time.perf_counter() - began, time.process_time() - worked
        found = Taken(parameters, peak.anonymous, peak.resident, took, worked)
    sys.stdout.write(json.dumps(found._asdict()))
    leave(0)


def _load_libraries(model: str) -> int:
    """All that an export imports, down to the model's class; returns how many weights the model has."""
    import onnxruntime.quantization.matmul_nbits_quantizer  # noqa: F401
    import torch
    from onnxruntime_genai.models import builder  # noqa: F401
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model))
    return sum(weight.numel() for weight in made.parameters())


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
