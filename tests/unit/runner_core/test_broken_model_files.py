"""A model's small files, which may be anybody's: what can't be read of them is told, and is no fault of ours."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import InputModel
from finetune_runner.data.file_tokenizer import template_in
from finetune_runner.data.new_tokens import vocabulary_of
from finetune_runner.sources.base_card import BaseCard, card_of
from finetune_runner.sources.mlflow_layout import folders
from finetune_runner.sources.model_check import ModelCheck

NESTED = b"[" * 99999
NO_TEXT = b"\xff\xfe\xff"
MODEL = InputModel.model_validate({"source": {"s3": {"uri": "s3://models/x"}}})


def refused(call, *arguments):
    with pytest.raises(FineTuneError) as caught:
        call(*arguments)
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED
    assert caught.value.path == "spec.inputModel.source"
    return caught.value.message


@pytest.mark.parametrize("content", [b"{", NESTED, NO_TEXT])
def test_a_configuration_that_is_no_json(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    check = ModelCheck(MODEL, {"config.json"}, tmp_path, "s3://models/x", "spec.inputModel.source")
    assert "a config.json that is not JSON" in refused(check.check)


@pytest.mark.parametrize("content", [b"{", NESTED, NO_TEXT])
def test_a_tokenizer_that_is_no_json(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    assert "tokenizer.json is not JSON" in refused(vocabulary_of, tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_bytes(content)
    assert "tokenizer_config.json is not JSON" in refused(template_in, tmp_path)


def test_a_chat_template_that_is_no_text(tmp_path):
    (tmp_path / "chat_template.jinja").write_bytes(NO_TEXT)
    assert "chat_template.jinja is not UTF-8" in refused(template_in, tmp_path)


def test_of_chat_templates_that_are_none_there_is_none(tmp_path):
    (tmp_path / "tokenizer_config.json").write_bytes(b'{"chat_template": ["x", {"name": "default", "template": 3}]}')
    assert template_in(tmp_path) == ""


@pytest.mark.parametrize("value", ["[", "2024-13-45", "[" * 5000])
def test_what_mlflow_has_written_that_is_no_yaml(value):
    mlmodel = f"flavors: {value}".encode()
    assert "is not YAML" in refused(folders, mlmodel, "s3://models/x", "spec.inputModel.source")


@pytest.mark.parametrize("value", ["[", "2024-13-45", "[" * 5000])
def test_a_model_card_that_is_no_yaml_tells_no_licence(value):
    assert card_of(f"---\nlicense: mit\ndate: {value}\n---\n") == BaseCard()
