"""What prepare checks of model, rows and tokens, beyond the mistakes of tests/wrong."""

import json

import pytest

from fake_model import make_fake_model
from finetune_api.failures import FineTuneError, Reason
from finetune_runner.prepared import required
from finished_passes import finish_passes
from preparing import prepared, refused
from runner_place import TONES, data_config, jsonl

PHI3_MINI = {
    "model_type": "phi3",
    "hidden_size": 3072,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 8192,
    "vocab_size": 32064,
}


def test_the_memory_of_a_pass_is_told_where_config_json_gives_its_shapes(place):
    assert prepared(place).headlines == []  # the model of these tests has a config.json without sizes
    place.bucket.put("base/config.json", json.dumps(PHI3_MINI))

    told, checkpoint = prepared(place.another()).headlines

    assert (told.index, told.name) == (0, "memoryAtMostGiB")
    assert float(told.value) > 14.2  # the weights in float32
    assert (checkpoint.index, checkpoint.name) == (0, "checkpointMiB")
    assert checkpoint.value == "1152"  # 12 bytes a trained parameter


def test_a_pass_that_can_not_fit_is_refused(place):
    place.bucket.put("base/config.json", json.dumps(PHI3_MINI))
    error = refused(place, place.spec(systems=[{"name": "gpu", "accelerator": {"memory": "6Gi"}}]))
    assert (error.reason, error.path) == (Reason.OUT_OF_ACCELERATOR_MEMORY, "spec.passes[0].lora")


def test_a_pass_that_is_done_need_not_fit(place):
    place.bucket.put("base/config.json", json.dumps(PHI3_MINI))
    spec = place.spec(systems=[{"name": "gpu", "accelerator": {}}])
    prepared(place, spec)
    finish_passes(place, ["tune"], spec=spec)
    spec = place.spec(systems=[{"name": "gpu", "accelerator": {"memory": "6Gi"}}])
    assert prepared(place.another(), spec).passes[0].digest


@pytest.mark.parametrize(
    ("kind", "fields", "where", "message"),
    [
        (
            "lora",
            {"targetModules": ["qkv_proj", "q_proj"]},
            "targetModules[1]",
            "no linear layer",
        ),
        ("loha", {"excludeModules": ["mlp"]}, "excludeModules[0]", "no linear layer"),
        ("qlora", {"modulesToSave": ["lm_head", "down_proj"]}, "modulesToSave[1]", "is kept in 4 bits"),
        ("qlora", {"modulesToSave": ["layers.3.mlp"]}, "modulesToSave[0]", "is kept in 4 bits"),
    ],
)
def test_a_module_that_is_not_there_or_in_four_bits_is_refused_before_a_gpu_is_asked_for(
    place, kind, fields, where, message
):
    place.bucket.put("base/config.json", json.dumps(PHI3_MINI))
    tune = {"name": "tune", kind: {"trainData": "tones"} | fields}

    error = refused(place, place.spec(passes=[tune]))

    assert (error.reason, error.path) == (Reason.INVALID_SPEC, f"spec.passes[0].{kind}.{where}")
    assert message in error.message
    assert "There are: qkv_proj, o_proj, gate_up_proj, down_proj, lm_head." in error.remedy or "4 bits" in error.message


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("lora", {"targetModules": ["model.layers.0.self_attn.qkv_proj", "mlp.down_proj", "lm_head"]}),
        ("lora", {"modulesToSave": ["down_proj", "norm", "whatever the model has besides"]}),
        ("qlora", {"modulesToSave": ["input_layernorm", "embed_tokens", "lm_head"]}),
    ],
)
def test_a_module_that_is_there_or_that_shapes_do_not_tell_of_is_left_to_the_pass(place, kind, fields):
    place.bucket.put("base/config.json", json.dumps(PHI3_MINI))
    tune = {"name": "tune", kind: {"trainData": "tones"} | fields}

    assert prepared(place, place.spec(passes=[tune])).passes


def test_duplicate_rows_are_counted(place):
    place.bucket.put("tones.jsonl", jsonl([*TONES, TONES[0]]))
    prepared(place)
    pinned = required(place.job())
    assert (pinned.data[0].rows, pinned.data[0].distinct) == (5, 4)


def test_a_model_of_pickled_weights_is_not_read(place):
    place.bucket.delete("base/model.safetensors")
    place.bucket.put("base/pytorch_model.bin", b"pickle")
    error = refused(place)
    assert (error.reason, error.path) == (Reason.MODEL_UNSUPPORTED, "spec.inputModel.allowPickle")


def test_a_model_with_code_of_its_own_needs_trust(place, tmp_path):
    place.bucket.upload(make_fake_model(tmp_path / "code", auto_map={"AutoModel": "modeling.M"}), "base")
    error = refused(place)
    assert error.reason is Reason.MODEL_UNSUPPORTED
    assert error.path == "spec.inputModel.trustRemoteCode"

    trusting = place.spec()
    trusting["inputModel"]["trustRemoteCode"] = True
    assert prepared(place, trusting).failure is None


def test_bad_rows_are_left_out_within_their_limit_and_the_report_names_them(place):
    place.bucket.put("tones.jsonl", jsonl(TONES) + "broken\n")
    assert "line 5 of tones.jsonl: not JSON" in refused(place).message

    source = {"s3": place.bucket.location("tones.jsonl")}
    prepared(place, place.spec(dataConfigs=[data_config(source, maxBadRows=1)]))

    report = json.loads(place.bucket.get(f"store/team/jobs/{place.uid}/report.json"))
    [data] = report["data"]
    assert (data["rows"], data["badRows"]) == (4, 1)
    assert data["badRowsNamed"][0].startswith("line 5 of tones.jsonl: not JSON")


@pytest.mark.parametrize(("rows", "field", "value"), [(1, "evalFraction", 0.5), (3, "evalRows", 3)])
def test_more_rows_than_leave_one_to_train_on_cannot_be_held_out(place, rows, field, value):
    place.bucket.put("tones.jsonl", jsonl([*TONES[:rows], TONES[0]]))
    passes = [{"name": "tune", "lora": {"trainData": "tones", field: value}}]
    error = refused(place, place.spec(passes=passes))
    assert error.path == f"spec.passes[0].lora.{field}"


@pytest.mark.parametrize("vocabulary", [{"a": 0, "<joy>": 1}, [["a", -1.5], ["<joy>", -2.5]]], ids=["bpe", "unigram"])
@pytest.mark.parametrize(("token", "found"), [("<joy>", 1), ("<end>", 7)])
def test_a_new_token_that_the_tokenizer_has_is_named(place, vocabulary, token, found):
    added = [{"content": "<end>", "id": 7}]
    place.bucket.put("base/tokenizer.json", json.dumps({"model": {"vocab": vocabulary}, "added_tokens": added}))
    spec = place.spec()
    spec["passes"][0]["lora"]["newTokens"] = ["<new>", token]

    error = refused(place, spec)

    assert (error.reason, error.path) == (Reason.INVALID_SPEC, "spec.passes[0].lora.newTokens[1]")
    assert error.message == f"the tokenizer has {token!r} already (id {found})"
    spec["passes"][0]["lora"]["newTokens"] = ["<new>"]
    prepared(place, spec)


def test_a_spec_that_is_wrong_in_itself_is_refused_with_its_place(place):
    with pytest.raises(FineTuneError, match="mergeAdapterWeights works on an adapter") as caught:
        place.job(place.spec(passes=[{"name": "merge", "mergeAdapterWeights": {}}]))
    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path == "spec.passes[0]"
