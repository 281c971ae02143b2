"""Our lora pass beside Olive's, on the same model, rows, optimizer steps and seed, all on this machine's CPU.

`make bench-olive` runs it. Olive runs twice: with its defaults (bfloat16, gradient checkpointing, padding to the
maximum), and as tuned by hand (float32, neither). We run with our defaults, and with adapters on as few layers as Olive
has them on, which is the work of Olive as tuned; and both in Olive's type, which is that of its defaults. What counts
as accuracy is our evaluator's for all of them; a loss would count the end of an answer, which Olive does not train. A
run that the file of results has already is not run again, so that the comparison can be stopped and gone on with.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from learning_curve import draw
from llama_60m import NAME as LLAMA_60M
from llama_60m import make_llama_60m, texts_of
from peer import python as python_of_peer

from finetune_api.plan import Product
from passes import TEMPLATE, evaluate

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
TONE = REPOSITORY / "examples" / "tone"
OLIVES_MODULES = ["q_proj", "v_proj"]
"""What Olive adapts unless told otherwise: peft's choice for Llama and Gemma. We adapt all linear layers by default."""
OLIVES_TYPE = "bfloat16"
"""What Olive trains in unless told otherwise. On a CPU we train in float32 by default."""
OLIVES = ("Olive, defaults", "Olive, tuned by hand")
OURS: dict[str, dict[str, Any]] = {
    "this project, defaults": {},
    "this project, Olive's type": {"dtype": OLIVES_TYPE},
    "this project, Olive's modules": {"targetModules": OLIVES_MODULES},
    "this project, Olive's modules and type": {"targetModules": OLIVES_MODULES, "dtype": OLIVES_TYPE},
}
"""Side to what it is told of Olive's."""
SIDES = (*OLIVES, *OURS)
WARM_UP = 3
"""Steps that are not timed."""
CURVE = (10, 25, 50)
"""Steps after which, as after the last, the accuracy on held-out rows is measured."""
TASK = {"template": TEMPLATE, "batch": 8, "learningRate": 2e-4, "r": 16, "alpha": 32}


@dataclass(frozen=True)
class Run:
    """One side with one seed."""

    model: str
    side: str
    seed: int
    steps: int
    max_seq_len: int
    tokens_per_second: float
    """Without padding, after the warm-up."""
    padding: float
    """Share of what went through the model."""
    start_up: float
    """Seconds from the start of the process to the end of the first optimizer step."""
    seconds: float
    """From the start of the process to its adapter."""
    accuracies: Mapping[str, float]
    """Step to what the adapter reaches on held-out rows after it; empty where it was not asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(os.environ.get("FINETUNE_CACHE") or Path.home() / ".cache" / "finetune-operator")
    default = cache / "models" / "gemma3-270m"
    models = f"a transformers directory (default: the demo's), or {LLAMA_60M}, made here of random weights"
    parser.add_argument("--model", type=Path, default=default, help=models)
    parser.add_argument("--side", choices=SIDES, action="append", help="only this one; may be repeated (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each side (default: 3)")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first of them (default: 0)")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps (default: 100)")
    parser.add_argument("--max-seq-len", type=int, default=64, help="(default: 64)")
    parser.add_argument(
        "--no-accuracy", action="store_true", help="do not evaluate, where only the speed is of interest"
    )
    parser.add_argument("--plot", type=Path, help="an SVG file to draw the held-out accuracies to")
    parser.add_argument(
        "--results", type=Path, default=Path(".bench/compare_olive.jsonl"), help="(default: %(default)s)"
    )
    given = parser.parse_args()
    given.results.parent.mkdir(parents=True, exist_ok=True)
    if str(given.model) == LLAMA_60M:
        given.model = make_llama_60m(texts_of(TONE / "train.jsonl"), given.results.parent / LLAMA_60M)
    peer = python_of_peer(REPOSITORY / ".bench" / "olive")
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for side in given.side or SIDES:
            if any((run.side, run.seed) == (side, seed) for run in of(given)):
                continue
            print(f"seed {seed}: {side}", flush=True)
            made = one(given, side, seed, peer)
            with given.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(made)) + "\n")
    table(of(given))
    if given.plot:
        draw({side: [run.accuracies for run in of(given) if run.side == side] for side in SIDES}, given.plot)


def of(given: argparse.Namespace) -> list[Run]:
    """The runs there are of what is asked for."""
    asked = (given.model.name, given.steps, given.max_seq_len, given.no_accuracy)
    return [r for r in read(given.results) if (r.model, r.steps, r.max_seq_len, not r.accuracies) == asked]


def read(file: Path) -> list[Run]:
    return [Run(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def one(given: argparse.Namespace, side: str, seed: int, peer: Path) -> Run:
    """Trains an adapter and looks at it."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        task = TASK | {
            "model": str(given.model),
            "rows": str(TONE / "train.jsonl"),
            "seed": seed,
            "steps": given.steps,
            "keep": [] if given.no_accuracy else [step for step in CURVE if step < given.steps],
            "maxSeqLen": given.max_seq_len,
            "tuned": side == OLIVES[1],
            "targetModules": [],
            "dtype": "auto",
            **OURS.get(side, {}),
        }
        (work / "task.json").write_text(json.dumps(task), encoding="utf-8")
        program = [sys.executable, HERE / "our_tune.py"] if side in OURS else [peer, HERE / "olive_tune.py"]
        with (given.results.parent / "compare_olive.log").open("w", encoding="utf-8") as log:
            subprocess.run([*program, work], env=environment(), check=True, stdout=log, stderr=log)
        steps = json.loads((work / "steps.json").read_text(encoding="utf-8"))
        accuracies = {} if given.no_accuracy else held_out(work, given)
    return Run(
        model=given.model.name,
        side=side,
        seed=seed,
        steps=given.steps,
        max_seq_len=given.max_seq_len,
        tokens_per_second=sum(steps["tokens"][WARM_UP:]) / (steps["ended"][-1] - steps["ended"][WARM_UP - 1]),
        padding=1 - sum(steps["tokens"]) / sum(steps["through"]),
        start_up=steps["ended"][0],
        seconds=steps["seconds"],
        accuracies=accuracies,
    )


def environment() -> dict[str, str]:
    """Nothing is fetched, nothing is told to anybody, and an accelerator is not seen."""
    offline = {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return {**os.environ, **offline, "CUDA_VISIBLE_DEVICES": ""}


def held_out(work: Path, given: argparse.Namespace) -> dict[str, float]:
    """The accuracy after each step of the curve, and after the last."""
    kept = {int(directory.name): directory for directory in work.glob("adapters/*")} | {given.steps: work / "adapter"}
    return {str(step): accuracy_of(kept[step], given.model) for step in sorted(kept)}


def accuracy_of(adapter: Path, model: Path) -> float:
    """By our evaluator, which wants the base's tokenizer beside the adapter."""
    for file in model.glob("tokenizer*"):
        shutil.copy(file, adapter / file.name)
    rows = [json.loads(line) for line in (TONE / "heldout.jsonl").read_text(encoding="utf-8").splitlines()]
    evaluator = {"batchSize": 16, "metrics": [{"name": "accuracy", "accuracy": {"maxNewTokens": 8}}]}
    given = {"base": model, "rows": rows, "evaluator": evaluator}
    with tempfile.TemporaryDirectory() as scratch:
        return float(evaluate(adapter, Path(scratch) / "evaluated", Product.ADAPTER, **given).metrics["accuracy"])


def table(runs: Sequence[Run]) -> None:
    """Medians over the seeds, and each seed's accuracy after the last step."""
    print("\n| | runs | tokens/s | padding | first step after | adapter after | accuracy |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for side in SIDES:
        its = [run for run in runs if run.side == side]
        if not its:
            continue

        def median(name: str, its: Sequence[Run] = its) -> Any:
            return statistics.median(getattr(run, name) for run in its)

        cells = (
            side,
            len(its),
            f"{median('tokens_per_second'):.0f}",
            f"{median('padding'):.0%}",
            f"{median('start_up'):.1f} s",
            f"{median('seconds'):.1f} s",
            ", ".join(f"{run.accuracies[str(run.steps)]:.3f}" for run in its if run.accuracies),
        )
        print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    main()
