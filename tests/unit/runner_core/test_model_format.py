"""Which format a directory is in, and which of its files become which in the folder that passes get."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import InputModel
from finetune_runner.sources import mlflow_layout
from finetune_runner.sources.model_format import flat, format_of, gguf_choice, transformers_files, with_notices

SAFE = ["config.json", "model.safetensors", "tokenizer.json"]
GGUF = ["phi3.gguf", "README.md", "LICENSE", "config.json"]


def model(**fields):
    source = {"s3": {"uri": "s3://models/x"}}
    return InputModel.model_validate({"source": source, **fields})


def chosen(names, **fields):
    return gguf_choice(model(**fields), names, "s3://models/x", "spec.inputModel.source.s3")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (SAFE, "transformers"),
        ([*SAFE, "phi3.gguf"], "transformers"),
        (GGUF, "gguf"),
        (["q4/phi3.gguf"], "gguf"),
        (["MLmodel", "model/config.json", "model/model.safetensors"], "mlflow"),
        (["config.json", "pytorch_model.bin"], "transformers"),
        (["mmproj-f16.gguf"], "transformers"),
        (["weights.bin"], "transformers"),
    ],
)
def test_the_files_show_the_format(names, found):
    assert format_of(model(), names) == found


def test_what_the_spec_says_counts_more():
    assert format_of(model(format="transformers"), GGUF) == "transformers"
    assert format_of(model(ggufFile="phi3.gguf"), [*SAFE, "phi3.gguf"]) == "gguf"


def test_of_a_transformers_directory_only_the_model_counts():
    names = [*SAFE, "pytorch_model.bin", "LICENSE", "README.md", "modeling.py", ".git/x.json", "onnx/config.json"]
    files = transformers_files(flat(names), code=False, pickles=True)
    assert sorted(files) == ["LICENSE", "config.json", "model.safetensors", "tokenizer.json"]
    assert "modeling.py" in transformers_files(flat(names), code=True, pickles=False)


def test_the_same_weights_in_mistrals_own_format_are_not_fetched_too():
    names = [*SAFE, "consolidated.safetensors", "consolidated-00001-of-00002.safetensors"]
    assert sorted(transformers_files(flat(names), code=False, pickles=False)) == sorted(SAFE)


def test_pickled_weights_count_where_there_are_no_others_and_they_are_allowed():
    names = ["config.json", "pytorch_model-00001-of-00002.bin", "training_args.bin", "optimizer.bin"]
    assert "pytorch_model-00001-of-00002.bin" in transformers_files(flat(names), code=False, pickles=True)
    assert sorted(transformers_files(flat(names), code=False, pickles=False)) == ["config.json"]
    assert "training_args.bin" not in transformers_files(flat(names), code=False, pickles=True)


def test_beside_a_gguf_file_tokenizer_and_notices_count_and_its_folder_is_left_out():
    names = ["q4/phi3.gguf", "tokenizer.json", "tokenizer_config.json", "LICENSE", "config.json"]
    assert chosen(names) == {
        "q4/phi3.gguf": "phi3.gguf",
        "tokenizer.json": "tokenizer.json",
        "tokenizer_config.json": "tokenizer_config.json",
        "LICENSE": "LICENSE",
    }


def test_a_tokenizer_in_the_gguf_files_own_folder_counts():
    names = ["q4/phi3.gguf", "q4/tokenizer.json", "q8/tokenizer.json"]
    assert chosen(names) == {"q4/phi3.gguf": "phi3.gguf", "q4/tokenizer.json": "tokenizer.json"}


def test_parts_of_a_tokenizer_without_its_vocabulary_do_not_count():
    assert chosen(["phi3.gguf", "tokenizer_config.json"]) == {"phi3.gguf": "phi3.gguf"}


@pytest.mark.parametrize(
    ("names", "fields", "reason", "remedy"),
    [
        (["a.gguf", "b.gguf"], {}, Reason.MODEL_UNSUPPORTED, "Set ggufFile to one of a.gguf, b.gguf."),
        (["a.gguf"], {"ggufFile": "c.gguf"}, Reason.MODEL_NOT_FOUND, "Set ggufFile to one of a.gguf."),
        (SAFE, {"format": "gguf"}, Reason.MODEL_NOT_FOUND, "Correct the source."),
        (
            ["a-00001-of-00002.gguf"],
            {},
            Reason.MODEL_UNSUPPORTED,
            "Join them with llama-gguf-split --merge.",
        ),
    ],
)
def test_a_choice_that_is_not_clear_is_refused_with_what_there_is(names, fields, reason, remedy):
    with pytest.raises(FineTuneError) as caught:
        chosen(names, **fields)
    assert (caught.value.reason, caught.value.remedy) == (reason, remedy)


def folders(mlmodel: str):
    return mlflow_layout.folders(mlmodel.encode(), "s3://models/x", "spec.inputModel.source.s3")


def test_mlflows_directory_becomes_one_folder_with_the_notice_above_it():
    found = folders("flavors:\n  python_function: {}\n  transformers: {model_binary: model}\n")
    names = ["MLmodel", "LICENSE.txt", "requirements.txt", "model/config.json", "components/tokenizer/tokenizer.json"]
    assert with_notices(flat(names, found), names) == {
        "LICENSE.txt": "LICENSE.txt",
        "model/config.json": "config.json",
        "components/tokenizer/tokenizer.json": "tokenizer.json",
    }


def test_azures_directory_becomes_one_folder_with_the_models_config():
    found = folders("flavors: {hftransformersv2: {task_type: text-generation}}")
    names = [
        "MLmodel",
        "data/model/model.safetensors",
        "data/config/config.json",
        "data/tokenizer/config.json",
        "data/tokenizer/tokenizer.json",
    ]
    assert flat(names, found) == {
        "data/model/model.safetensors": "model.safetensors",
        "data/config/config.json": "config.json",
        "data/tokenizer/tokenizer.json": "tokenizer.json",
    }


@pytest.mark.parametrize(
    ("mlmodel", "said"),
    [
        ("flavors: {sklearn: {}}", "by sklearn"),
        ("flavors: {transformers: {peft_adaptor: peft, source_model_name: phi}}", "is an adapter of phi"),
        ("flavors: {transformers: {source_model_name: phi}}", "holds no weights, it only names phi"),
        ("flavors: [", "is not YAML"),
        ("other: 1", "names no flavors"),
    ],
)
def test_what_holds_no_whole_model_is_refused(mlmodel, said):
    with pytest.raises(FineTuneError) as caught:
        folders(mlmodel)
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED
    assert said in caught.value.message
