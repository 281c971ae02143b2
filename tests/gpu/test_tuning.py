"""Every kind of adapter trains on a device, with every optimizer that needs one, and gives what the CPU gives."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from finetune_api.resource.training import BITSANDBYTES
from finetune_runner.data.sequences import packed
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.devices import float32_products
from finetune_runner.passes.loading import load_model
from finetune_runner.passes.tune import quantization
from finetune_runner.training.batches import PadToLongest
from finetune_runner.training.loss import token_losses
from finetune_runner.training.packing import keeps_apart
from finetune_runner.training.token_store import TokenStore
from passes import Reported, data_set, dora, loftq, loha, lokr, lora, qlora, tune
from random_decoder import random_rows

KINDS = {
    "lora": lora(),
    "lora in float32": lora(training={"dtype": "float32"}),
    "lora, checkpointing": lora(training={"gradientCheckpointing": True}),
    "qlora": qlora(doubleQuant=True),
    "qlora with fp4": qlora(quantType="fp4"),
    "dora": dora(),
    "loftq": loftq(),
    "loha": loha(),
    "lokr": lokr(training={"maxSteps": 40}),
}
OPTIMIZERS = ("adamw_torch_fused", *sorted(BITSANDBYTES))
LENGTHS = [5, 9, 30, 12, 7, 61, 18]
GIBIBYTE = 2**30


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_an_adapter_learns_its_rows(tiny_phi3, tmp_path, config):
    report = Reported()

    tune(tiny_phi3, tmp_path / "adapter", config, report=report, accelerator=True)

    losses = _losses(report)
    assert losses[0] > 4
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_that_needs_a_device_lowers_the_loss(tiny_phi3, tmp_path, optimizer):
    report = Reported()
    rate = 0.002 if "lion" in optimizer else 0.02  # Lion's steps are all of one length

    tune(
        tiny_phi3,
        tmp_path / "adapter",
        lora(training={"optim": optimizer, "learningRate": rate, "maxSteps": 20}),
        report=report,
        accelerator=True,
    )

    losses = _losses(report)
    assert losses[-1] < losses[0] * 0.7


def test_the_device_trains_as_the_cpu_does(tiny_phi3, tmp_path):
    report, cpu = Reported(), Reported()
    config = lora(training={"dtype": "float32", "maxSteps": 6, "extra": {"tf32": "false"}})

    tune(tiny_phi3, tmp_path / "device", config, report=report, accelerator=True)
    tune(tiny_phi3, tmp_path / "cpu", config, report=cpu)

    assert _losses(report) == pytest.approx(_losses(cpu), rel=0.01)


def test_products_of_float32_are_tf32_while_training_and_can_be_told_not_to_be():
    matrix = torch.randn(2048, 2048, device="cuda")
    exact = (matrix.double() @ matrix.double()).float()

    def error(wanted):
        with float32_products(wanted, "cuda", ""):
            return ((matrix @ matrix - exact).norm() / exact.norm()).item()

    assert error(None) > 1e-4
    assert error(wanted=False) < 1e-5


def test_compiled_blocks_train_as_they_do_uncompiled(tiny_phi3, tmp_path):
    report, compiled = Reported(), Reported()
    training = {"dtype": "float32", "maxSteps": 6}

    tune(tiny_phi3, tmp_path / "a", lora(training=training), report=report, accelerator=True)
    tune(
        tiny_phi3, tmp_path / "b", lora(training={**training, "torchCompile": True}), report=compiled, accelerator=True
    )

    assert _losses(compiled) == pytest.approx(_losses(report), rel=0.01)


def _losses(report):
    """Of the steps; the report is told other things too."""
    return [said["loss"] for said in report.steps if "loss" in said]


def test_two_runs_with_one_seed_write_the_same_bytes(small_llama, tmp_path):
    config = lora(dropout=0.1, training={"extra": {"full_determinism": "true"}, "maxSteps": 4})
    for name in "ab":
        tune(small_llama, tmp_path / name, config, accelerator=True)

    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in "ab")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_quantised_layers_take_less_than_0_3_of_their_bfloat16_size(small_llama):
    config = qlora(doubleQuant=True)
    settings = quantization(config, torch.bfloat16)
    whole = load_model(small_llama, dtype=torch.bfloat16, device="cuda", trust_remote_code=False)
    names = [name for name, module in whole.named_modules() if type(module) is torch.nn.Linear and name != "lm_head"]

    _, before = _loaded_with(small_llama, None)
    quantised, after = _loaded_with(small_llama, settings)

    of_linears = sum(2 * whole.get_submodule(name).weight.numel() for name in names)
    assert all(type(quantised.get_submodule(name)).__name__ == "Linear4bit" for name in names)
    assert (of_linears - (before - after)) / of_linears < 0.3


def _loaded_with(model, settings):
    """The model, and the bytes that loading it took."""
    before = torch.cuda.memory_allocated()
    loaded = load_model(model, dtype=torch.bfloat16, device="cuda", trust_remote_code=False, quantization=settings)
    return loaded, torch.cuda.memory_allocated() - before


def test_rows_packed_on_the_device_have_the_gradient_they_have_by_themselves(small_llama, tmp_path):
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randint(3, 300, (length,), generator=generator).tolist() for length in LENGTHS]
    rows = [Encoded(ids, 2, [False, False, *[True] * (len(ids) - 2)]) for ids in drawn]
    store = TokenStore.write(tmp_path / "rows", packed(rows, 64), packed=True)
    alone = [PadToLongest(0)([{"input_ids": row.ids, "labels": row.labels}]) for row in rows]

    for dtype in (torch.float32, torch.bfloat16):
        model = AutoModelForCausalLM.from_pretrained(small_llama, dtype=dtype, device_map={"": "cuda"})
        assert keeps_apart(model)
        gradient, expected = _gradient(model, [PadToLongest(0)(store[:])]), _gradient(model, alone)
        assert torch.nn.functional.cosine_similarity(gradient, expected, dim=0) > 0.999


def _gradient(model, batches):
    """Of all weights, as one vector."""
    model.zero_grad()
    losses = [token_losses(model, **{name: value.to("cuda") for name, value in batch.items()}) for batch in batches]
    torch.cat(losses).mean().backward()
    return torch.cat([weight.grad.flatten().float() for weight in model.parameters() if weight.grad is not None])


def test_memory_that_runs_out_halves_the_micro_batch(small_llama, tmp_path, caplog):
    report = Reported()
    rows = data_set(random_rows([2000] * 32), textTemplate="{text}", maxSeqLen=1024, loss="all")
    config = lora(training={"perDeviceTrainBatchSize": 32, "maxSteps": 2})
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(4 * GIBIBYTE / whole)
    try:
        tune(small_llama, tmp_path / "adapter", config, train=rows, report=report, accelerator=True)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    assert "out of accelerator memory with a micro-batch of 32: from now on 16" in caplog.text
    lowered = [said["micro_batch"] for said in report.steps if "micro_batch" in said]
    assert lowered[-1] in {1, 2, 4, 8}
