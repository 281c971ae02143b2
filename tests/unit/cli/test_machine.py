"""What the machine does to the command line is told as that, not as a bug of ours."""

import io
import sys
from pathlib import Path

import pytest
import yaml

from api_specs import wire_spec
from finetune_api import API_VERSION, KIND
from finetune_cli.__main__ import main


@pytest.fixture
def job(tmp_path) -> Path:
    file = tmp_path / "job.yaml"
    file.write_text(
        yaml.safe_dump({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "a"}, "spec": wire_spec()})
    )
    return file


def test_a_closed_standard_input_is_an_empty_one(finetune, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    ended = finetune("validate", "-")
    assert (ended.code, ended.is_bug, "holds no FineTuneJob" in ended.err) == (1, False, True), ended.err


def test_without_any_output_it_ends_as_with_one(job, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["validate", str(job)]) == 0


def test_a_full_disk_under_the_output_is_named(job, monkeypatch, capsys):
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(full, write_through=True))
        code = main(["validate", str(job)])
    assert (code, capsys.readouterr().err) == (1, "Error: No space left on device\n")


def test_a_character_that_the_output_cannot_hold_is_told_with_what_to_set(finetune, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    ended = finetune("passes", "lora")
    remedy = "set PYTHONIOENCODING=utf-8"
    assert (ended.code, ended.err) == (1, f"Error: '√' can't be written in latin-1, the output's encoding ({remedy})\n")


def test_a_folder_that_cannot_be_made_is_named(finetune, job):
    ended = finetune("run", job, "--folder", "/proc/nowhere")
    assert (ended.code, ended.err) == (1, "Error: /proc/nowhere: No such file or directory\n")


def test_of_a_bug_the_traceback_can_be_seen(finetune, job, monkeypatch):
    monkeypatch.setenv("FINETUNE_DEBUG", "1")
    assert "Traceback" in finetune("run", job, "--folder", "/proc/nowhere").err
