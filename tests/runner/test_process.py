"""A stage's process starts soon: it loads nothing that it does not need."""

import os

import pytest

from finetune_runner.process import COMPILER_OFF, without_compiler
from finetune_runner.stage import may_compile

COMPILER = "torch._inductor.compile_fx"


def imported(log: str) -> set[str]:
    """The modules that Python says it imported, told to by PYTHONPROFILEIMPORTTIME."""
    return {line.rpartition("|")[2].strip() for line in log.splitlines() if line.startswith("import time:")}


def test_a_stage_that_tunes_in_four_bits_loads_no_compiler(place, tiny_phi3, monkeypatch):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    place.bucket.upload(tiny_phi3, "base")
    qlora = {"r": 4, "trainData": "tones", "training": {"maxSteps": 1}}
    place.write_job(place.spec(passes=[{"name": "tune", "qlora": qlora}]))
    assert place.run("prepare").code == 0

    ended = place.run("stage", "0")

    assert ended.code == 0
    assert "bitsandbytes" in imported(ended.log)
    assert COMPILER not in imported(ended.log)


@pytest.mark.parametrize(
    ("step", "may"),
    [
        ({"lora": {"trainData": "tones"}}, False),
        ({"lora": {"trainData": "tones", "training": {"torchCompile": True}}}, True),
        ({"plugin": {"name": "wise-ft"}}, True),
    ],
)
def test_the_compiler_is_left_to_a_pass_that_asks_for_it_and_to_plugins(place, step, may):
    gpu = [{"name": "gpu", "accelerator": {}}]
    job = place.job(place.spec(passes=[{"name": "first", "input": "base", **step}], systems=gpu))
    assert may_compile(job.plan.stages[0]) is may


def test_who_wants_the_compiler_says_so_in_the_environment(monkeypatch):
    monkeypatch.setenv(COMPILER_OFF, "0")
    without_compiler()
    assert os.environ[COMPILER_OFF] == "0"
