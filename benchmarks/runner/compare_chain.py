"""From a model and rows to an int4 model: our chain beside Olive's, the first time and once more with all of it cached.

`make bench-chain` runs it. Olive runs LoRA, MergeAdapterWeights and ModelBuilder, with its defaults and as tuned by
hand (float32, no gradient checkpointing, no padding to the maximum), and evaluates nothing. Ours is `finetune run` with
the same passes, and measures the artifact's accuracy and loss on the held-out rows too; with our defaults, with
adapters on the layers that Olive has them on, and both in Olive's type. Seconds are those of the whole process, by the
clock on the wall. A run that the file of results has already is not run again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compare_olive import OLIVES, OURS, REPOSITORY, SIDES, TASK, TONE, environment
from peer import python as python_of_peer


@dataclass(frozen=True)
class Run:
    """One side."""

    model: str
    side: str
    steps: int
    seconds: float
    again: float
    """Seconds of the same once more."""
    megabytes: float
    """Of the directory with the int4 model."""
    accuracy: float | None
    """On held-out rows, where the side measures it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(os.environ.get("FINETUNE_CACHE") or Path.home() / ".cache" / "finetune-operator")
    default = cache / "models" / "gemma3-270m"
    parser.add_argument("--model", type=Path, default=default, help="a transformers directory (default: the demo's)")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps (default: %(default)s)")
    parser.add_argument("--side", choices=SIDES, action="append", help="only this one; may be repeated")
    parser.add_argument("--results", type=Path, default=Path(".bench/compare_chain.jsonl"))
    given = parser.parse_args()
    given.results.parent.mkdir(parents=True, exist_ok=True)
    peer = python_of_peer(REPOSITORY / ".bench" / "olive")
    for side in given.side or SIDES:
        if any(run.side == side for run in of(given)):
            continue
        print(side, flush=True)
        with tempfile.TemporaryDirectory(dir=given.results.parent) as scratch:
            work = Path(scratch).absolute()
            made = ours(given, side, work) if side in OURS else olives(given, side, work, peer)
        with given.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(made)) + "\n")
    table(of(given))


def of(given: argparse.Namespace) -> list[Run]:
    """The runs there are of what is asked for."""
    lines = given.results.read_text(encoding="utf-8").splitlines() if given.results.exists() else []
    found = [Run(**json.loads(line)) for line in lines]
    return [run for run in found if (run.model, run.steps) == (given.model.name, given.steps)]


def olives(given: argparse.Namespace, side: str, work: Path, peer: Path) -> Run:
    task = TASK | {
        "model": str(given.model),
        "rows": str(TONE / "train.jsonl"),
        "seed": 0,
        "steps": given.steps,
        "maxSeqLen": 64,
        "tuned": side == OLIVES[1],
    }
    (work / "task.json").write_text(json.dumps(task), encoding="utf-8")
    program = [str(peer), str(Path(__file__).parent / "olive_chain.py"), str(work)]
    seconds, again = (timed(program, given) for _ in range(2))
    (model,) = (work / "output").glob("**/model.onnx")  # Olive ends with 0 where a pass failed, too
    return Run(given.model.name, side, given.steps, seconds, again, size(model.parent), accuracy=None)


def ours(given: argparse.Namespace, side: str, work: Path) -> Run:
    (work / "job.json").write_text(json.dumps(job(given, OURS[side])), encoding="utf-8")
    program = [sys.executable, "-m", "finetune_cli", "run", str(work / "job.json"), "--folder", str(work / "work")]
    program += ["--mount", f"models={given.model.parent}", "--mount", f"data={TONE}"]
    seconds, again = (timed(program, given) for _ in range(2))
    output = work / "work" / "output" / "chain"
    (model,) = output.glob("**/model.onnx")
    (report,) = output.glob("**/report.json")
    return Run(given.model.name, side, given.steps, seconds, again, size(model.parent), accuracy_in(report))


def job(given: argparse.Namespace, told: Mapping[str, Any]) -> dict[str, Any]:
    """A FineTuneJob of the same work, evaluated; `told` is a value of OURS."""

    def rows(name: str) -> dict[str, Any]:
        source = {"volume": {"claimName": "data", "path": f"{name}.jsonl"}}
        return {"name": name, "source": source, "preprocess": {"textTemplate": TASK["template"], "maxSeqLen": 64}}

    training = {"maxSteps": given.steps, "perDeviceTrainBatchSize": TASK["batch"], "learningRate": TASK["learningRate"]}
    training |= {"dtype": told.get("dtype", "auto")}
    layers = {"targetModules": told["targetModules"]} if "targetModules" in told else {}
    metrics = [{"name": "accuracy", "accuracy": {"maxNewTokens": 8}}, {"name": "loss", "loss": {}}]
    lora = {"r": TASK["r"], "alpha": TASK["alpha"], "dropout": 0, "trainData": "train", **layers, "training": training}
    return {
        "apiVersion": "finetune-operator.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": "chain"},
        "spec": {
            "inputModel": {"source": {"volume": {"claimName": "models", "path": given.model.name}}},
            "dataConfigs": [rows("train"), rows("heldout")],
            "systems": [{"name": "cpu"}],
            "evaluators": [{"name": "tone", "batchSize": 16, "metrics": metrics}],
            "passes": [
                {"name": "tune", "lora": lora},
                {"name": "merge", "mergeAdapterWeights": {}},
                {"name": "int4", "modelBuilder": {"precision": "int4"}},
                {"name": "check", "evaluate": {"evaluator": "tone", "data": "heldout"}},
            ],
            "store": {"volume": {"claimName": "artifacts", "path": "store"}},
            "output": {"volume": {"claimName": "artifacts", "path": "chain"}},
        },
    }


def accuracy_in(report: Path) -> float:
    passes = json.loads(report.read_text(encoding="utf-8"))["passes"]
    return next(float(its["metrics"]["accuracy"]) for its in passes if its["name"] == "check")


def timed(program: Sequence[str], given: argparse.Namespace) -> float:
    """Seconds of a process, which must end well; its words go to a log beside the results."""
    begun = time.monotonic()
    with given.results.with_suffix(".log").open("a", encoding="utf-8") as log:
        subprocess.run(program, env=environment(), check=True, stdout=log, stderr=log)
    return time.monotonic() - begun


def size(directory: Path) -> float:
    """MB of all files."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()) / 1e6


def table(runs: Sequence[Run]) -> None:
    """Each side, and ours as share of Olive's."""
    print("\n| | seconds | once more, s | int4 model, MB | accuracy |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for run in runs:
        accuracy = "" if run.accuracy is None else f"{run.accuracy:.3f}"
        print(f"| {run.side} | {run.seconds:.1f} | {run.again:.1f} | {run.megabytes:.0f} | {accuracy} |")
    for own in (run for run in runs if run.side in OURS):
        for run in (run for run in runs if run.side in OLIVES):
            shares = {name: getattr(own, name) / getattr(run, name) for name in ("seconds", "again", "megabytes")}
            print(f"{own.side}, of {run.side}: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))


if __name__ == "__main__":
    main()
