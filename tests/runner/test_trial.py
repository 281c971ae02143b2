"""An exported model is tried in a fresh process, where its execution provider is."""

import shutil
from dataclasses import replace

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import ModelBuilder
from finetune_runner.passes.exporting.trial import verified_on
from passes import inputs

PATH = "spec.passes[2].modelBuilder"


def tried(directory, *, accelerator=False, **fields):
    given = replace(inputs(directory, directory / "unused", accelerator=accelerator, path=PATH), output=directory)
    return verified_on(ModelBuilder.model_validate(fields), given)


@pytest.fixture
def copied(tiny_phi3_onnx, tmp_path):
    return shutil.copytree(tiny_phi3_onnx, tmp_path / "onnx")


def test_a_model_that_answers_is_verified_on_its_provider(copied):
    assert tried(copied) == "CPUExecutionProvider"


@pytest.mark.parametrize(
    "fields",
    [
        {"executionProvider": "DmlExecutionProvider", "precision": "fp16"},
        {"executionProvider": "CUDAExecutionProvider"},
        {"excludeLmHead": True},
    ],
    ids=["directml", "cuda", "part"],
)
def test_what_cannot_be_run_here_is_not_verified(fields, tmp_path):
    assert tried(tmp_path, **fields) == ""


def test_a_graph_for_cuda_is_not_verified_by_a_runtime_without_cuda(copied):
    assert tried(copied, accelerator=True, executionProvider="CUDAExecutionProvider") == ""


def test_a_model_whose_logits_are_no_numbers_is_refused(copied):
    weights = copied / "model.onnx.data"
    weights.write_bytes(b"\xff" * weights.stat().st_size)

    with pytest.raises(FineTuneError, match=r"does not run under onnxruntime-genai.*no finite numbers") as caught:
        tried(copied)

    assert caught.value.reason is Reason.EXPORT_FAILED
    assert caught.value.path == PATH


def test_a_model_that_cannot_be_loaded_is_refused(copied):
    (copied / "model.onnx.data").unlink()

    with pytest.raises(FineTuneError, match="does not run under onnxruntime-genai") as caught:
        tried(copied)

    assert caught.value.reason is Reason.EXPORT_FAILED
