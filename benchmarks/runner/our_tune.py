"""Our lora pass on a model and rows, watched: `python our_tune.py WORK`."""

import json
import sys
from pathlib import Path

from step_times import StepTimes


def main(work: Path) -> None:
    """Reads WORK/task.json (see compare_olive.py); leaves WORK/adapter, WORK/adapters and WORK/steps.json."""
    task = json.loads((work / "task.json").read_text(encoding="utf-8"))
    times = StepTimes(work / "adapters", task["keep"])
    times.watch()
    from passes import data_set, lora, tune  # noqa: PLC0415

    rows = [json.loads(line) for line in Path(task["rows"]).read_text(encoding="utf-8").splitlines()]
    training = {
        "seed": task["seed"],
        "dataSeed": task["seed"],
        "maxSteps": task["steps"],
        "perDeviceTrainBatchSize": task["batch"],
        "learningRate": task["learningRate"],
        "loggingSteps": 10,
        "dtype": task["dtype"],
    }
    modules = {"targetModules": task["targetModules"]} if task["targetModules"] else {}
    config = lora(r=task["r"], alpha=task["alpha"], training=training, **modules)
    train = data_set(rows, textTemplate=task["template"], maxSeqLen=task["maxSeqLen"])
    tune(Path(task["model"]), work / "adapter", config, train=train)
    times.save(work / "steps.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
