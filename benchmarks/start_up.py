"""How long the command line takes, beside what a bare Python and importing torch take, all in one run.

Commands take turns, so that whatever else the machine does burdens all of them alike; compare ratios. On a busy machine
the processor's time says more than the clock's.
`make bench-cli` runs it. No test asserts a time: which modules are imported is asserted in
tests/runner/test_start_up.py and test_local_run.py.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from tiny_phi3 import make_tiny_phi3

REPOSITORY = Path(__file__).parents[1]
TONE = REPOSITORY / "examples" / "tone.yaml"
OLIVE = TONE.parent / "olive" / "olive-config.json"
PYTHON = (sys.executable, "-c")
FINETUNE = (sys.executable, "-m", "finetune_cli")
BARE = "bare python"
ROUNDS = 7


class Taken(NamedTuple):
    """Seconds of one run."""

    clock: float
    processor: float


Commands = Mapping[str, tuple[Sequence[str], float | None]]
"""What is measured: its name to the command, and the seconds it is meant to stay below."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"times each command runs (default: {ROUNDS})")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        run = job(Path(scratch))
        first = taken_by(run).clock
        taken = measured(commands(run), rounds)
    report(commands(run), taken)
    print(f"\nThe cached run's first run, which made everything: {first:.1f} s")


def commands(run: Sequence[str]) -> Commands:
    """What is measured; `run` is a job whose passes are all committed."""
    return {
        BARE: ((*PYTHON, "pass"), None),
        "import torch": ((*PYTHON, "import torch"), None),
        "finetune --help": ((*FINETUNE, "--help"), 0.5),
        "finetune validate": ((*FINETUNE, "validate", str(TONE)), 0.5),
        "finetune import": ((*FINETUNE, "import", str(OLIVE)), 0.5),
        "finetune schema": ((*FINETUNE, "schema"), 0.5),
        "finetune run, cached": (run, 2.0),
    }


def job(folder: Path) -> list[str]:
    """A tiny job in a folder: the command that runs it."""
    make_tiny_phi3(folder / "model")
    rows = (TONE.parent / "tone" / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "rows.jsonl").write_text("".join(rows[:16]), encoding="utf-8")
    document = yaml.safe_load(TONE.read_text(encoding="utf-8"))
    spec = document["spec"]
    spec["inputModel"]["source"] = {"volume": {"claimName": "here", "path": "model"}}
    for config in spec["dataConfigs"]:
        config["source"] = {"volume": {"claimName": "here", "path": "rows.jsonl"}}
    for step in spec["passes"]:
        if "lora" in step:
            step["lora"]["training"]["maxSteps"] = 2
    (folder / "job.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return [*FINETUNE, "run", str(folder / "job.yaml"), f"--folder={folder / 'out'}", f"--mount=here={folder}"]


def measured(given: Commands, rounds: int) -> dict[str, list[Taken]]:
    """What each command takes, in rounds of all of them."""
    taken: dict[str, list[Taken]] = {name: [] for name in given}
    for _ in range(rounds):
        for name, (command, _) in given.items():
            taken[name].append(taken_by(command))
    return taken


def taken_by(command: Sequence[str]) -> Taken:
    begin, before = time.perf_counter(), processor_seconds()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr}")
    return Taken(time.perf_counter() - begin, processor_seconds() - before)


def processor_seconds() -> float:
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(given: Commands, taken: Mapping[str, Sequence[Taken]]) -> None:
    """A table of medians; ratios are those of the processor's time."""
    print(f"{'':24}{'clock':>9}{'meant':>9}{'processor':>11}{'x python':>10}{'x torch':>9}")
    used = {name: statistics.median(one.processor for one in found) for name, found in taken.items()}
    for name, (_, limit) in given.items():
        clock = f"{statistics.median(one.clock for one in taken[name]):.2f} s"
        meant = f"< {limit} s" if limit else ""
        ratios = f"{used[name] / used[BARE]:>10.1f}{used[name] / used['import torch']:>9.2f}"
        print(f"{name:24}{clock:>9}{meant:>9}{f'{used[name]:.2f} s':>11}{ratios}")


if __name__ == "__main__":
    main()
