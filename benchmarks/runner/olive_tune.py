"""Olive's LoRA pass on a model and rows, watched: `python olive_tune.py WORK`. Runs in the peer's environment."""

import json
import shutil
import sys
from pathlib import Path

from step_times import StepTimes


def main(work: Path) -> None:
    """Reads WORK/task.json (see compare_olive.py); leaves WORK/adapter, WORK/adapters and WORK/steps.json."""
    task = json.loads((work / "task.json").read_text(encoding="utf-8"))
    times = StepTimes(work / "adapters", task["keep"])
    times.watch()
    from olive.workflows import run  # noqa: PLC0415

    run(config(task, work))
    times.save(work / "steps.json")
    (adapter,) = (work / "cache").glob("**/adapter_config.json")
    shutil.copytree(adapter.parent, work / "adapter")


def config(task: dict, work: Path) -> dict:
    """A run config of Olive 0.13."""
    training = {
        "seed": task["seed"],
        "data_seed": task["seed"],
        "max_steps": task["steps"],
        "per_device_train_batch_size": task["batch"],
        "gradient_accumulation_steps": 1,
        "learning_rate": task["learningRate"],
        "logging_steps": 10,
        **({"gradient_checkpointing": False} if task["tuned"] else {}),
    }
    return {
        "input_model": {"type": "HfModel", "model_path": task["model"]},
        "systems": {
            "local": {
                "type": "LocalSystem",
                "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}],
            }
        },
        "data_configs": [
            {
                "name": "rows",
                "type": "HuggingfaceContainer",
                "load_dataset_config": {"data_name": "json", "data_files": task["rows"], "split": "train"},
                "pre_process_data_config": {
                    "text_template": task["template"],
                    "strategy": "line-by-line",
                    "max_seq_len": task["maxSeqLen"],
                    **({"pad_to_max_len": False} if task["tuned"] else {}),
                },
            }
        ],
        "passes": {
            "tune": {
                "type": "LoRA",
                "r": task["r"],
                "alpha": task["alpha"],
                "lora_dropout": 0.0,
                "train_data_config": "rows",
                "training_args": training,
                **({"torch_dtype": "float32"} if task["tuned"] else {}),
            }
        },
        "host": "local",
        "target": "local",
        "evaluate_input_model": False,
        "cache_dir": str(work / "cache"),
        "output_dir": str(work / "output"),
        "log_severity_level": 2,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
