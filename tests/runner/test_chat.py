"""finetune chat: a published model answers, asked as it was trained, if it is what was published."""

import io
import json
import shutil
import sys

import pytest

from command_line import finetune
from finetune_api.failures import EXIT_CODES, Reason
from finetune_runner.data.rendering import encoder_of, render
from finetune_runner.passes.evaluation.onnx import OnnxModel
from finetune_runner.passes.loading import load_tokenizer
from passes import TEMPLATE, data_set
from published import change_digest, flip_bit, publish_here
from s3_server import ACCESS_KEY, SECRET_KEY

__all__ = ["finetune"]

CORRUPT = EXIT_CODES[Reason.ARTIFACT_CORRUPT]
PHRASE = "we won at last"
SHORT = "--max-new-tokens=6"


@pytest.fixture
def artifact(tiny_phi3_onnx, tmp_path):
    folder = tmp_path / "artifact"
    shutil.copytree(tiny_phi3_onnx, folder)
    (folder / "prompt.json").write_text(json.dumps({"textTemplate": TEMPLATE}))
    return publish_here(folder)


@pytest.fixture
def in_bucket(artifact, bucket, monkeypatch):
    """The artifact's location in a bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.server.endpoint)
    bucket.upload(artifact, "out")
    return f"s3://{bucket.name}/out"


def expected_answer(folder, phrase=PHRASE, tokens=6):
    """What the evaluation of that row would have the model say."""
    tokenizer = load_tokenizer(folder, trust_remote_code=False)
    preprocess = data_set().config.preprocess
    [example] = render([{"phrase": phrase, "tone": "joy"}], preprocess, tokenizer, "spec")
    prompt = encoder_of(preprocess, tokenizer).encode(example).prompt
    [generated] = OnnxModel(folder, frozenset({tokenizer.eos_token_id})).generate([prompt], tokens)
    return tokenizer.decode(generated)


def test_it_is_asked_as_it_was_trained(artifact, finetune):
    ended = finetune("chat", artifact, "--prompt", PHRASE, SHORT)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == expected_answer(artifact) + "\n"


def test_it_answers_until_an_empty_line(artifact, finetune, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PHRASE}\nhow sad\n\nnever read\n"))

    ended = finetune("chat", artifact, SHORT)

    assert ended.code == 0
    assert ended.err.count("phrase> ") == 3
    assert ended.out == f"{expected_answer(artifact)}\n{expected_answer(artifact, 'how sad')}\n"


@pytest.mark.parametrize("damage", ["bit", "missing", "digest"])
def test_a_damaged_one_is_not_loaded(artifact, finetune, monkeypatch, damage):
    {
        "bit": lambda: flip_bit(artifact / "model.onnx.data"),
        "missing": (artifact / "tokenizer.json").unlink,
        "digest": lambda: change_digest(artifact),
    }[damage]()
    monkeypatch.setitem(sys.modules, "onnxruntime_genai", None)  # loading would fail otherwise

    ended = finetune("chat", artifact, "--prompt", PHRASE)

    assert ended.code == CORRUPT
    assert {"bit": "model.onnx.data: its sha256", "missing": "tokenizer.json: is missing", "digest": "manifest.json: "}[
        damage
    ] in ended.err


def test_from_a_bucket_it_is_downloaded_once(in_bucket, artifact, bucket, finetune, tmp_path):
    cached = f"--cache={tmp_path / 'cache'}"
    first = finetune("chat", in_bucket, "--prompt", PHRASE, SHORT, cached)
    bucket.delete("out/model.onnx.data")
    second = finetune("chat", in_bucket, "--prompt", PHRASE, SHORT, cached)

    assert first.out == second.out == expected_answer(artifact) + "\n"
    assert "downloading" in first.err
    assert second.err == ""


def test_a_damaged_one_in_a_bucket_is_refused_and_not_kept(in_bucket, artifact, bucket, finetune, tmp_path):
    flip_bit(artifact / "model.onnx.data")
    bucket.upload(artifact, "out")

    ended = finetune("chat", in_bucket, "--prompt", PHRASE, f"--cache={tmp_path / 'cache'}")

    assert ended.code == CORRUPT
    assert "model.onnx.data: its sha256" in ended.err
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_download_that_was_damaged_since_is_made_again(in_bucket, artifact, finetune, tmp_path):
    cached = f"--cache={tmp_path / 'cache'}"
    finetune("chat", in_bucket, "--prompt", PHRASE, SHORT, cached)
    [kept] = (tmp_path / "cache").iterdir()
    flip_bit(kept / "model.onnx.data")

    ended = finetune("chat", in_bucket, "--prompt", PHRASE, SHORT, cached)

    assert "downloading" in ended.err
    assert ended.out == expected_answer(artifact) + "\n"


def test_without_the_runtime_it_says_what_to_install(artifact, finetune, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime_genai", None)

    ended = finetune("chat", artifact, "--prompt", PHRASE)

    assert ended.code == EXIT_CODES[Reason.MODEL_UNSUPPORTED]
    assert "pip install onnxruntime-genai" in ended.err


def test_a_model_in_safetensors_is_refused(tiny_phi3, tmp_path, finetune):
    shutil.copytree(tiny_phi3, tmp_path / "model")
    publish_here(tmp_path / "model")

    ended = finetune("chat", tmp_path / "model", "--prompt", PHRASE)

    assert ended.code == EXIT_CODES[Reason.MODEL_UNSUPPORTED]
    assert "Chat with what a modelBuilder or an extractAdapters pass has made" in ended.err


def test_a_prompt_that_leaves_no_room_is_told(artifact, finetune):
    ended = finetune("chat", artifact, "--prompt", "we won " * 600, SHORT)

    assert ended.code == 1
    assert "the prompt has" in ended.err
