"""What is said to a published model, in the words it was trained on. A word is a token, so is a space or a line end."""

import json

import pytest

from finetune_api.resource.data import Preprocess
from finetune_runner.artifact.prompts import Prompts, recorded
from finetune_runner.data.file_tokenizer import FileTokenizer
from word_tokenizer import write_tokenizer


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return FileTokenizer(write_tokenizer(tmp_path_factory.mktemp("llama"), "llama"))


@pytest.fixture(scope="module")
def phi(tmp_path_factory):
    return FileTokenizer(write_tokenizer(tmp_path_factory.mktemp("phi"), "phi"))


def prompts(tokenizer, **preprocess):
    return Prompts(Preprocess.model_validate(preprocess), tokenizer)


def said(asked, tokenizer, text):
    return tokenizer.decode(asked.tokens(asked.values(text)))


def test_a_template_stands_around_what_is_said_up_to_the_answer(llama):
    asked = prompts(llama, textTemplate="Say {q}\n{a}")

    assert asked.columns == ["q"]
    assert said(asked, llama, "b c") == "<s>Say b c\n"


def test_several_columns_are_given_as_json(llama):
    asked = prompts(llama, textTemplate="Say {q} {more}\n{a}")

    assert asked.columns == ["q", "more"]
    assert said(asked, llama, '{"q": "a", "more": "b"}') == "<s>Say a b\n"


@pytest.mark.parametrize("text", ["a", "[1]", '{"q": "a"}'])
def test_anything_else_for_several_columns_is_refused_with_an_example(llama, text):
    with pytest.raises(ValueError, match=r'as JSON, such as \{"q": "…", "more": "…"\}'):
        prompts(llama, textTemplate="Say {q} {more}\n{a}").values(text)


def test_of_a_pair_the_input_is_asked_for(llama):
    asked = prompts(llama, pair={"inputColumn": "in", "outputColumn": "out"})

    assert (asked.columns, said(asked, llama, "a b")) == (["in"], "<s>a b")


def test_a_model_of_plain_text_goes_on_with_what_is_said(llama):
    asked = prompts(llama, textColumns=["body"])

    assert (asked.columns, said(asked, llama, "a b")) == (["text"], "<s>a b")


def test_a_chat_is_remembered(phi):
    asked = prompts(phi, chat={})

    first = said(asked, phi, "hi")
    asked.heard("yes")

    assert first == "<s><|user|>\nhi<|end|>\n<|assistant|>\n"
    assert said(asked, phi, "more") == (
        "<s><|user|>\nhi<|end|>\n<|assistant|>\nyes<|end|>\n<|user|>\nmore<|end|>\n<|assistant|>\n"
    )


def test_what_is_recorded_beside_the_model_counts(phi, tmp_path):
    (tmp_path / "prompt.json").write_text(json.dumps({"textTemplate": "Say {q}\n{a}"}))

    assert recorded(tmp_path, phi).text_template == "Say {q}\n{a}"


def test_a_base_is_chatted_with_by_its_own_template_if_it_has_one(llama, phi, tmp_path):
    assert recorded(tmp_path, phi).chat is not None
    assert Prompts(recorded(tmp_path, llama), llama).columns == ["text"]
