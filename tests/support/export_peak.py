"""How much memory an export takes, measured in a process of its own: `python export_peak.py JSON`.

Counted from before the model is loaded on, libraries being there already. Two peaks: of anonymous memory, which only
swap or the end of the process gives back, and of all resident memory, in which pages of mapped files count too,
although the kernel takes them away when it needs room.
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
    from finetune_runner.passes import onnx_export
    from finetune_runner.process import leave
    from passes import child_request, inputs

    if not rounding_here:
        onnx_export.rounding = lambda *_, **__: nullcontext()
    with tempfile.TemporaryDirectory() as scratch:
        given = inputs(Path(model), Path(output))
        request = child_request(ModelBuilder.model_validate(fields), given, Path(model), scratch, None)
        parameters = _load_libraries(model)
        resident, began, worked = _forget_peak(), time.perf_counter(), time.process_time()
        with Peak() as peak:
            onnx_export.export(**request)
        found = Taken(
            parameters,
            peak.most - peak.start,
            _status("VmHWM") - resident,
            time.perf_counter() - began,
            time.process_time() - worked,
        )
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


def _forget_peak() -> int:
    """Has the kernel count the peak of resident memory (VmHWM) from now on; returns what is resident, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(field: str) -> int:
    """Bytes: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
