"""What is said about wrong arguments of tuning passes, beyond the mistakes of tests/wrong."""

from typing import Any

import pytest

from api_specs import wire_spec
from finetune_api.plan import TUNING
from finetune_api.validate import parse


def findings(spec: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in parse(spec)[1]]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"evalFraction": 0.3, "evalData": "tones"}, "evalFraction: set together with evalData"),
        ({"evalRows": 3, "evalData": "tones"}, "evalRows: set together with evalData"),
        ({"evalRows": 3, "evalFraction": 0.3}, "evalRows: set together with evalFraction"),
    ],
)
def test_rows_are_held_out_in_one_way(given, found):
    spec = wire_spec()
    spec["passes"][0]["lora"] |= given
    assert findings(spec) == [f"spec.passes[0].lora.{found} (choose one of the two)"]


def test_a_number_of_rows_held_out_can_be_evaluated():
    spec = wire_spec()
    spec["passes"][0]["lora"] |= {"evalRows": 3, "training": {"evalStrategy": "epoch"}}
    assert findings(spec) == []


@pytest.mark.parametrize("kind", ["loha", "lokr"])
def test_the_name_of_the_list_of_blocks_without_blocks_is_refused(kind):
    spec = wire_spec()
    spec["passes"][0] = {"name": "tune", "system": "gpu", kind: {"trainData": "tones", "layersPattern": "layers"}}

    assert findings(spec) == [
        f"spec.passes[0].{kind}.layersPattern: has no meaning without layersToTransform (set layersToTransform)"
    ]


@pytest.mark.parametrize("kind", TUNING)
def test_every_way_to_tune_can_be_merged_exported_and_measured(kind):
    spec = wire_spec([("tune", "gpu", "lora"), ("m", "cpu", "merge"), ("b", "cpu", "build"), ("e", "cpu", "evaluate")])
    spec["passes"][0] = {"name": "tune", "system": "gpu", kind: {"trainData": "tones"}}

    assert findings(spec) == []


def training_findings(training: dict[str, Any], system: str = "gpu") -> list[str]:
    spec = wire_spec([("tune", system, "lora")])
    spec["passes"][0]["lora"]["training"] = training
    return findings(spec)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "neftune_noise_alfa",
            "5",
            "transformers' TrainingArguments have no such argument (did you mean neftune_noise",
        ),
        ("learning_rate", "1e-4", "is a field of its own (set training.learningRate)"),
        ("save_strategy", "steps", "would have no effect: an output is committed once"),
        ("label_smoothing_factor", "0.1", "would have no effect: the loss"),
        ("neftune_noise_alpha", "[", "is not the YAML of a value it can have (write a int or float)"),
        ("torch_empty_cache_steps", "true", "is not the YAML of a value it can have (write a int)"),
    ],
)
def test_a_further_training_argument_that_would_not_count_is_refused_by_name(name, value, said):
    [text] = training_findings({"extra": {name: value}})

    assert text.startswith(f"spec.passes[0].lora.training.extra[{name}]: ")
    assert said in text


def test_further_training_arguments_may_be_given():
    extra = {"neftune_noise_alpha": "5", "logging_strategy": "no", "lr_scheduler_kwargs": "{min_lr: 1.0e-5}"}

    assert training_findings({"extra": extra}) == []


def test_blocks_are_compiled_for_an_accelerator_only():
    assert training_findings({"torchCompile": True}) == []
    [finding] = training_findings({"torchCompile": True}, system="cpu")
    assert finding.startswith("spec.passes[0].lora.training.torchCompile: torch.compile is for accelerators")


def test_flash_attention_is_refused_where_it_computes_nothing():
    assert training_findings({"attnImplementation": "flash_attention_2"}) == []
    refused = training_findings({"attnImplementation": "flash_attention_2", "dtype": "float32"}, system="cpu")
    assert [finding.partition(": ")[2] for finding in refused] == [
        "flash_attention_2 needs an accelerator (use sdpa)",
        "flash_attention_2 computes in bfloat16, and dtype is float32 (use sdpa, or leave dtype out)",
    ]


def test_an_optimizer_that_needs_an_accelerator_is_refused_without_one():
    assert training_findings({"optim": "paged_adamw_32bit"}) == []
    assert training_findings({"optim": "paged_adamw_32bit"}, system="cpu") == [
        "spec.passes[0].lora.training.optim: paged_adamw_32bit needs an accelerator, and system 'cpu' has none"
        " (use adamw_torch, or another system)"
    ]
