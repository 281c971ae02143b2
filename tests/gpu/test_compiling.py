"""torch.compile on a device: it learns, with what else changes a block's code."""

import pytest

from passes import Reported, lora, qlora, tune

CONFIGS = {
    "lora": lora(dropout=0.05, training={"torchCompile": True}),
    "lora, checkpointing": lora(training={"torchCompile": True, "gradientCheckpointing": True}),
    "qlora": qlora(training={"torchCompile": True}),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_an_adapter_learns_its_rows_with_compiled_blocks(tiny_phi3, tmp_path, config):
    report = Reported()

    tune(tiny_phi3, tmp_path / "adapter", config, report=report, accelerator=True)

    assert report.steps[-1]["loss"] < report.steps[0]["loss"] / 2
