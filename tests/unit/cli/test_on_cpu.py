"""finetune run --no-accelerator: what of a job changes, and what is refused before anything runs."""

import pytest

from api_specs import wire_spec
from finetune_api.failures import FineTuneError
from finetune_api.resource.job import FineTuneJobSpec
from finetune_cli.local.on_cpu import on_cpu


def spec(optim: str) -> FineTuneJobSpec:
    systems = [{"name": "gpu", "accelerator": {"count": 1}}]
    tune = {"name": "tune", "qlora": {"trainData": "tones", "training": {"optim": optim}}}
    return FineTuneJobSpec.model_validate({**wire_spec(), "systems": systems, "passes": [tune], "engine": {}})


def test_qloras_paged_optimizer_becomes_one_that_computes_the_same_and_that_is_said():
    changed, [note] = on_cpu(spec("paged_adamw_32bit"))
    assert changed.passes[0].qlora.training.optim == "adamw_torch"
    assert changed.systems[0].accelerator is None
    assert note.startswith("spec.passes[0].qlora.training.optim: adamw_torch")


def test_an_optimizer_that_computes_otherwise_is_refused():
    with pytest.raises(FineTuneError) as caught:
        on_cpu(spec("lion_8bit"))
    assert caught.value.path == "spec.passes[0].qlora.training.optim"


def test_what_needs_no_accelerator_stays_as_it_is():
    before = spec("adafactor")
    assert on_cpu(before) == (before.model_copy(update={"systems": on_cpu(before)[0].systems}), [])


def test_what_only_makes_an_accelerator_faster_is_left_out_and_said():
    training = {"torchCompile": True, "attnImplementation": "flash_attention_2"}
    tune = {"name": "tune", "lora": {"trainData": "tones", "training": training}}
    spec = FineTuneJobSpec.model_validate(wire_spec(systems=[{"name": "gpu", "accelerator": {}}]) | {"passes": [tune]})

    changed, notes = on_cpu(spec)

    assert changed.passes[0].lora.training.torch_compile is False
    assert notes == [
        "spec.passes[0].lora.training.attnImplementation: auto, which computes the same as flash_attention_2 and"
        " needs no accelerator",
        "spec.passes[0].lora.training.torchCompile: false, which computes the same and needs no accelerator",
    ]
