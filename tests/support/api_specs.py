"""Specs for tests of the API: a valid one, and ways to bend it."""

from copy import deepcopy
from typing import Any

from finetune_api.resource.job import FineTuneJobSpec

PASSES: dict[str, dict[str, Any]] = {
    "lora": {"lora": {"trainData": "tones"}},
    "qlora": {"qlora": {"trainData": "tones"}},
    "merge": {"mergeAdapterWeights": {}},
    "build": {"modelBuilder": {}},
    "evaluate": {"evaluate": {"evaluator": "tone-accuracy", "data": "tones"}},
}


def wire_pass(name: str, system: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **({"system": system} if system else {}), **deepcopy(PASSES[kind]), **more}


def wire_spec(passes: list[tuple[str, str, str]] | None = None, **parts: Any) -> dict[str, Any]:
    """A spec as a user writes it: LoRA, merge and int4 on two systems, unless told otherwise."""
    chain = passes or [("tune", "gpu", "lora"), ("merge", "cpu", "merge"), ("int4", "cpu", "build")]
    return {
        "inputModel": {"source": {"huggingFace": {"repo": "microsoft/Phi-3-mini-4k-instruct"}}},
        "dataConfigs": [
            {
                "name": "tones",
                "source": {"s3": {"uri": "s3://datasets/tones.jsonl"}},
                "preprocess": {"textTemplate": "### Text: {phrase}\n### The tone is:\n{tone}"},
            }
        ],
        "systems": [{"name": "gpu", "accelerator": {}}, {"name": "cpu"}],
        "passes": [wire_pass(*step) for step in chain],
        "evaluators": [{"name": "tone-accuracy", "metrics": [{"name": "accuracy", "accuracy": {}}]}],
        "store": {"s3": {"uri": "s3://models/finetune"}},
    } | parts


def spec_of(passes: list[tuple[str, str, str]] | None = None, **parts: Any) -> FineTuneJobSpec:
    return FineTuneJobSpec.model_validate(wire_spec(passes, **parts))
