"""How much memory a few training steps take, each time measured in a process of its own.

The processes are forks of one that has loaded the libraries, which takes longer than all else: `python memory_peak.py`.
What is counted is anonymous memory, from before the model is made on. The allocator gives everything larger than 64 KiB
back at once (MALLOC_MMAP_THRESHOLD_, mallopt(3)), so that the peak is what is held and not what was held before.
"""

import atexit
import functools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

STEPS = 2
SAMPLE_SECONDS = 0.002
LEFT_TO_HEAP = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}


def measured(config: dict[str, Any], tuning: dict[str, Any], *, sequences: int, length: int, counted: int) -> int:
    """Bytes at the peak of training.

    Args:
        config: a config.json.
        tuning: of a lora pass, as in a manifest.
        sequences: in a micro-batch.
        length: of each, in tokens.
        counted: tokens of each that count for the loss.
    """
    asked = {"config": config, "tuning": tuning, "sequences": sequences, "length": length, "counted": counted}
    meter = _meter()
    assert meter.stdin
    assert meter.stdout
    meter.stdin.write(json.dumps(asked) + "\n")
    meter.stdin.flush()
    return int(meter.stdout.readline())


@functools.cache
def _meter() -> subprocess.Popen[str]:
    """The process that is forked; it ends with this one."""
    command = [sys.executable, __file__]
    environment = os.environ | LEFT_TO_HEAP
    meter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    atexit.register(meter.kill)
    return meter


class Peak:
    """The most memory that this process has held meanwhile, in bytes above what it held before.

    Of anonymous memory, which only swap or the end of the process gives back, and of all resident memory, in which
    pages of mapped files count too, although the kernel takes them away when it needs room.
    """

    def __init__(self) -> None:
        self.anonymous = self.resident = 0
        self._before = _status("RssAnon")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        # 5: count the peak of resident memory (VmHWM) from now on
        Path("/proc/self/clear_refs").write_text("5")
        self._resident_before = _status("VmRSS")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.resident = _status("VmHWM") - self._resident_before

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.anonymous = max(self.anonymous, _status("RssAnon") - self._before)


def _status(field: str) -> int:
    """Bytes: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) * 1024


def main() -> None:
    from finetune_runner.process import without_compiler

    without_compiler()  # as in a stage that does not compile

    import torch
    from transformers import AutoModelForCausalLM  # noqa: F401

    import finetune_runner.training.adapter
    import finetune_runner.training.loss  # noqa: F401

    for line in sys.stdin:
        if os.fork() == 0:
            train(torch, **json.loads(line))
        if os.wait()[1]:
            sys.stdout.write("failed\n")
            sys.stdout.flush()


def train(
    torch: Any, config: dict[str, Any], tuning: dict[str, Any], *, sequences: int, length: int, counted: int
) -> None:
    """A few steps; writes the peak and ends the process."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from finetune_api.resource.passes import Lora
    from finetune_runner.process import leave
    from finetune_runner.training.adapter import with_adapter
    from finetune_runner.training.loss import token_losses

    spec = Lora.model_validate(tuning)
    _once(torch)
    with Peak() as peak:
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=torch.float32)
        known = config["vocab_size"]
        model = with_adapter(model, spec, "spec", range(known, known + len(spec.new_tokens))).train()
        if spec.training.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad])
        ids = torch.randint(1, config["vocab_size"], (sequences, length))
        labels = ids.clone()
        labels[:, : length - counted] = -100
        for _ in range(STEPS):
            token_losses(model, input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    sys.stdout.write(f"{peak.anonymous}\n")
    leave(0)


def _once(torch: Any) -> None:
    """Libraries that are loaded at first use are none of the model's memory."""
    layer = torch.nn.Linear(8, 8)
    layer(torch.randn(2, 8)).sum().backward()
    torch.optim.AdamW(layer.parameters()).step()


if __name__ == "__main__":
    main()
