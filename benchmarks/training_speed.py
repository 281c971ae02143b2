"""Tokens a second of a tuning pass, change by change, beside transformers' Trainer used the plain way.

`make bench-training` runs it on the accelerator if there is one, else on the CPU. Weights are random, rows are drawn:
neither decides how long a step takes. All lines go once through the same rows; each differs from the one above it by
what its name says. Compare lines of one run only; a line that the file of results has already (same device, model, way
and name) is not measured again.
"""

import argparse
import gc
import json
import logging
import math
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PrinterCallback, Trainer, TrainerCallback

from decoder_shapes import SHAPES
from finetune_api.resource.passes import Lora
from finetune_api.resource.training import Training
from finetune_runner.data.sequences import TokenSequence, packed
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.devices import dtype_for
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.arguments import training_arguments
from finetune_runner.training.batches import PadToLongest
from finetune_runner.training.compiling import compile_blocks
from finetune_runner.training.token_store import Item, TokenStore
from finetune_runner.training.trainer import AdapterTrainer

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MEDIAN_TOKENS, SPREAD, LONGEST = 120, 0.8, 1024
"""Of a row; lengths are log-normal, as those of texts are."""
ANSWER = 4
"""One token in so many belongs to the answer, which alone counts for the loss."""
WARM_UP = 4


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    name: str
    plain: bool = False
    """transformers' Trainer with the model's own loss over all logits."""
    packing: bool = False
    training: tuple[tuple[str, Any], ...] = ()
    """Fields of `training`, by their Python names."""

    def but(self, name: str, **training: Any) -> "Line":
        """The same with other training arguments."""
        return replace(self, name=name, training=(*self.training, *training.items()))


def lines(dtype: str) -> list[Line]:
    """The table's lines, each a change of the one before."""
    plain = Line("plain", plain=True).but(
        "transformers' Trainer, checkpointing", gradient_checkpointing=True, group_by_length=False, dtype=dtype
    )
    unchecked = plain.but("no checkpointing", gradient_checkpointing=False)
    sparse = replace(unchecked, name="logits only where a label is", plain=False)
    grouped = sparse.but("rows grouped by length", group_by_length=True)
    packing = replace(grouped, name="rows packed", packing=True)
    table = [plain, unchecked, sparse, grouped, packing]
    return [*table, packing.but("blocks compiled", torch_compile=True)] if DEVICE == "cuda" else table


@dataclass(frozen=True)
class Measured:
    """Of one line."""

    device: str
    model: str
    setup: str
    """Micro-batch, rows and type."""
    line: str
    tokens_per_second: float
    """Without padding."""
    padding: float
    """Share of what went through the model."""
    step_seconds: float
    """Mean."""
    peak_gib: float
    """Of the accelerator's memory, or of this process so far."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, action="append", help="default: llama-60m")
    parser.add_argument("--batch", type=int, default=8, help="sequences in a micro-batch (default: 8)")
    parser.add_argument("--rows", type=int, default=320, help="all lines train on these (default: 320)")
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument(
        "--results", type=Path, default=Path(".bench/training_speed.jsonl"), help="(default: %(default)s)"
    )
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    for model in given.model or ["llama-60m"]:
        for line in lines(given.dtype):
            if line.name not in [m.line for m in of(given, model)]:
                measured = measure(model, line, given)
                with given.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(measured)) + "\n")
        table(of(given, model))


def of(given: argparse.Namespace, model: str) -> list[Measured]:
    """What has been measured of a model here, and in the way that is asked for."""
    asked = (device_name(), model, setup(given))
    return [m for m in read(given.results) if (m.device, m.model, m.setup) == asked]


def setup(given: argparse.Namespace) -> str:
    return f"micro-batch {given.batch}, {given.rows} rows, {given.dtype}"


def read(file: Path) -> list[Measured]:
    return [Measured(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def device_name() -> str:
    return torch.cuda.get_device_name() if DEVICE == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def table(measured: Sequence[Measured]) -> None:
    first = measured[0]
    print(f"\n{first.model} on {first.device}, {first.setup}\n")
    print("| change | tokens/s | ratio | padding | s/step | peak GiB |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for m in measured:
        ratio = m.tokens_per_second / first.tokens_per_second
        print(
            f"| {m.line} | {m.tokens_per_second:,.0f} | {ratio:.2f} | {m.padding:.0%} | {m.step_seconds:.3f}"
            f" | {m.peak_gib:.2f} |"
        )


def measure(name: str, line: Line, given: argparse.Namespace) -> Measured:
    """Trains a fresh model on all rows once, after a few steps that do not count."""
    dtype = dtype_for(dict(line.training)["dtype"], DEVICE)
    torch.manual_seed(0)
    with torch.device(DEVICE):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**SHAPES[name]), dtype=dtype)
    adapted = with_adapter(model, Lora.model_validate({"trainData": "drawn", "r": 16, "dropout": 0}), "lora")
    if dict(line.training).get("torch_compile"):
        compile_blocks(adapted, "training.torchCompile")
    with tempfile.TemporaryDirectory() as scratch:
        folder, found = Path(scratch), drawn(given.rows, SHAPES[name]["vocab_size"])
        sequences = packed(found, LONGEST) if line.packing else (TokenSequence(r.ids, r.counts) for r in found)
        store = TokenStore.write(folder / "rows", sequences, packed=line.packing)
        for steps in (WARM_UP, -1):
            fields = dict(line.training) | {"per_device_train_batch_size": given.batch, "max_steps": steps}
            training = Training.model_validate(fields | {"num_train_epochs": 1})
            arguments = training_arguments(
                training,
                scratch=folder,
                device=DEVICE,
                dtype=dtype,
                checkpointing=bool(training.gradient_checkpointing),
                path="training",
            )
            collate, clock = Counting(), Clock()
            trainer = (plain_trainer if line.plain else our_trainer)(adapted, arguments, store, collate)
            trainer.add_callback(clock)
            if DEVICE == "cuda":
                torch.cuda.reset_peak_memory_stats()
            trainer.train()
    peak = peak_bytes()
    del trainer, adapted, model
    gc.collect()
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    real, through = (sum(column) for column in zip(*collate.seen, strict=True))
    return Measured(
        device=device_name(),
        model=name,
        setup=setup(given),
        line=line.name,
        tokens_per_second=real / clock.seconds,
        padding=1 - real / through,
        step_seconds=clock.seconds / len(collate.seen),
        peak_gib=peak / 2**30,
    )


def drawn(count: int, vocabulary: int) -> Iterator[Encoded]:
    """Rows of random tokens."""
    random = Random(7)
    for _ in range(count):
        length = min(LONGEST, max(8, round(random.lognormvariate(math.log(MEDIAN_TOKENS), SPREAD))))
        answer = max(1, length // ANSWER)
        ids = [random.randrange(3, min(vocabulary, 32000)) for _ in range(length)]
        yield Encoded(ids, length - answer, [False] * (length - answer) + [True] * answer)


def plain_trainer(model: Any, arguments: Any, rows: TokenStore, collate: "Counting") -> Trainer:
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    return trainer


def our_trainer(model: Any, arguments: Any, rows: TokenStore, collate: "Counting") -> AdapterTrainer:
    return AdapterTrainer(
        model, arguments, train=rows, held_out=(), collate=collate, report=lambda **_: None, path="training"
    )


class Counting(PadToLongest):
    """Remembers of each batch how many tokens it has, without and with padding."""

    def __init__(self) -> None:
        super().__init__(0)
        self.seen: list[tuple[int, int]] = []

    def __call__(self, batch: Sequence[Item]) -> dict[str, torch.Tensor]:
        made = super().__call__(batch)
        self.seen.append((int(made["attention_mask"].sum()), made["attention_mask"].numel()))
        return made


class Clock(TrainerCallback):  # type: ignore[misc]
    """Seconds of the training loop."""

    def __init__(self) -> None:
        self.begun = self.seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        synchronise()
        self.begun = time.monotonic()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        synchronise()
        self.seconds = time.monotonic() - self.begun


def synchronise() -> None:
    """Waits until the device has done what it was told."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def peak_bytes() -> int:
    if DEVICE == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
