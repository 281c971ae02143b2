"""Prepare, against a real S3 server: what it pins, what it refuses, and what it finds done."""

import json
import time

import pytest

from fake_model import make_fake_model
from finetune_api.failures import FineTuneError, Reason
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finished_passes import finish_passes
from runner_place import TONES, data_config, jsonl
from s3_server import ACCESS_KEY

PHI3_MINI = {
    "model_type": "phi3",
    "hidden_size": 3072,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 8192,
    "vocab_size": 32064,
}


def prepared(place, spec=None):
    """The last word of a prepare that succeeds."""
    outcome = Outcome(kind="prepare")
    prepare(place.job(spec), outcome)
    return outcome.message(None, first=frozenset())


def refused(place, spec=None) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        prepare(place.job(spec), Outcome(kind="prepare"))
    return caught.value


def keys(message):
    return [step.key for step in message.passes]


def test_a_good_job_is_pinned_and_every_key_is_told(place):
    message = prepared(place)

    assert [step.index for step in message.passes] == [0, 1, 2]
    assert len(set(keys(message))) == 3
    assert message.published is None
    pinned = required(place.job())
    assert [step.key for step in pinned.passes] == keys(message)
    assert (pinned.data[0].rows, pinned.data[0].distinct) == (4, 4)


def test_the_licence_on_the_bases_card_is_noted_and_decides_nothing_else(place):
    without = keys(prepared(place))
    place.bucket.put("base/README.md", "---\nlicense: mit\n---\n# Base")
    other = place.another()

    assert keys(prepared(other)) == without
    assert required(other.job()).base.card.license == "mit"


def test_the_memory_of_a_pass_is_told_where_config_json_gives_its_shapes(place):
    assert prepared(place).headlines == []  # the model of these tests has a config.json without sizes
    place.bucket.put("base/config.json", json.dumps(PHI3_MINI))

    [told] = prepared(place.another()).headlines

    assert (told.index, told.name) == (0, "memoryAtMostGiB")
    assert float(told.value) > 14.2  # the weights in float32


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


def test_nothing_is_left_behind_but_what_is_about_the_job(place):
    prepared(place)
    written = [key for key in place.bucket.object_keys() if not key.startswith(("base/", "tones"))]
    assert written == [f"store/team/jobs/{place.uid}/{name}.json" for name in ("prepared", "report")]


def test_the_weights_are_not_downloaded(place):
    prepared(place)
    assert not list(place.layout.work.rglob("*.safetensors"))


def test_data_that_no_pass_uses_is_not_read(place):
    elsewhere = data_config({"s3": place.bucket.location("gone.jsonl")}, name="spare")
    used = place.spec()["dataConfigs"]
    first = keys(prepared(place))
    assert keys(prepared(place.another(), place.spec(dataConfigs=[elsewhere, *used]))) == first


def test_duplicate_rows_are_counted(place):
    place.bucket.put("tones.jsonl", jsonl([*TONES, TONES[0]]))
    prepared(place)
    pinned = required(place.job())
    assert (pinned.data[0].rows, pinned.data[0].distinct) == (5, 4)


def test_the_same_job_under_another_name_has_the_same_keys(place):
    assert keys(prepared(place)) == keys(prepared(place.another()))


def test_other_rows_give_other_keys(place):
    first = keys(prepared(place))
    place.bucket.put("tones.jsonl", jsonl(TONES[:3]))
    assert not set(first) & set(keys(prepared(place.another())))


def test_the_same_rows_from_elsewhere_give_the_same_keys(place):
    first = keys(prepared(place))
    place.bucket.put("more/rows.json", json.dumps(TONES))
    elsewhere = place.spec(dataConfigs=[data_config({"s3": place.bucket.location("more/")})])
    assert keys(prepared(place.another(), elsewhere)) == first


def test_other_weights_give_other_keys(place):
    first = keys(prepared(place))
    place.bucket.put("base/model.safetensors", b"other weights")
    assert not set(first) & set(keys(prepared(place.another())))


def test_a_later_prepare_of_the_same_job_pins_nothing_anew(place):
    """It is also recovery: what was there at first counts, even if the data is gone by now."""
    first = keys(prepared(place))
    place.bucket.delete("tones.jsonl")
    place.bucket.delete("base/config.json")
    assert keys(prepared(place)) == first


def test_committed_passes_are_told_with_digest_and_size(place):
    prepared(place)
    manifests = finish_passes(place, ["tune"])

    message = prepared(place)

    assert [bool(step.digest) for step in message.passes] == [True, False, False]
    assert message.passes[0].size_bytes == manifests["tune"].size_bytes > 0


def test_when_all_passes_are_committed_the_artifact_is_published_in_seconds(place):
    prepared(place)
    finish_passes(place, ["tune", "merge", "int4"])
    begun = time.monotonic()

    message = prepared(place.another())

    assert time.monotonic() - begun < 5
    assert message.published.uri == f"s3://{place.bucket.name}/out"
    assert message.published.format == "onnx"
    assert message.published.digest == message.passes[2].digest
    assert "out/manifest.json" in place.bucket.object_keys("out/")


def test_a_pass_counts_as_done_only_if_made_from_what_is_committed_upstream(place):
    prepared(place)
    finish_passes(place, ["tune", "merge", "int4"])
    finish_passes(place, ["tune"], text="a later tuning with the same key", again=True)

    assert [bool(step.digest) for step in prepared(place).passes] == [True, False, False]


def test_with_the_cache_off_a_job_finds_what_it_committed_itself_and_nothing_else(place):
    cached, off = place.spec(), place.spec(engine={"cache": False})
    prepared(place, cached)
    finish_passes(place, ["tune"], spec=cached)
    one, two = place.another(), place.another()

    assert [bool(step.digest) for step in prepared(one, off).passes] == [False] * 3
    finish_passes(one, ["tune", "merge"], spec=off)
    assert [bool(step.digest) for step in prepared(one, off).passes] == [True, True, False]
    assert [bool(step.digest) for step in prepared(two, off).passes] == [False] * 3
    assert [bool(step.digest) for step in prepared(two, cached).passes] == [False] * 3


def test_another_artifact_at_the_output_is_refused_before_anything_runs(place):
    prepared(place)
    finish_passes(place, ["tune", "merge", "int4"])
    prepared(place)
    place.bucket.put("tones.jsonl", jsonl(TONES[:2]))

    error = refused(place.another())

    assert error.reason is Reason.INVALID_SPEC
    assert error.path == "spec.output.overwrite"
    assert "overwrite: true" in error.remedy


def test_the_same_artifact_at_the_output_is_no_obstacle(place):
    prepared(place)
    finish_passes(place, ["tune", "merge", "int4"])
    first = prepared(place)
    assert prepared(place.another()).published == first.published


# Models


def test_a_model_that_is_not_there_is_named(place):
    error = refused(place, place.spec(inputModel={"source": {"s3": place.bucket.location("no-model")}}))
    assert error.reason is Reason.MODEL_NOT_FOUND
    assert error.path == "spec.inputModel.source.s3.uri"


def test_a_directory_without_config_is_no_model(place):
    place.bucket.delete("base/config.json")
    error = refused(place)
    assert error.reason is Reason.MODEL_NOT_FOUND
    assert "config.json" in error.message


def test_a_model_of_pickled_weights_is_not_read(place):
    place.bucket.delete("base/model.safetensors")
    place.bucket.put("base/pytorch_model.bin", b"pickle")
    error = refused(place)
    assert error.reason is Reason.MODEL_UNSUPPORTED
    assert "*.bin" in str(error)
    assert "allowPickle: true" in error.remedy


def test_a_model_with_code_of_its_own_needs_trust(place, tmp_path):
    place.bucket.upload(make_fake_model(tmp_path / "code", auto_map={"AutoModel": "modeling.M"}), "base")
    error = refused(place)
    assert error.reason is Reason.MODEL_UNSUPPORTED
    assert error.path == "spec.inputModel.trustRemoteCode"

    trusting = place.spec()
    trusting["inputModel"]["trustRemoteCode"] = True
    assert prepared(place, trusting).failure is None


def test_a_model_without_tokenizer_is_unsupported(place):
    place.bucket.delete("base/tokenizer.json")
    assert "has no tokenizer" in refused(place).message


def test_a_missing_shard_is_named(place):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    place.bucket.put("base/model.safetensors.index.json", json.dumps(index))
    assert "lacks model-00002.safetensors" in refused(place).message


# Rows


def test_a_template_with_a_missing_column_is_named_with_the_columns_there_are(place):
    place.bucket.put("tones.jsonl", jsonl([{"text": "x", "label": "joy"}]))
    error = refused(place)
    assert error.reason is Reason.DATASET_INVALID
    assert error.path == "spec.dataConfigs[0].preprocess.textTemplate"
    assert "line 1 of tones.jsonl: no column 'phrase'" in error.message
    assert "text, label" in error.remedy


def test_an_empty_data_set_is_refused(place):
    place.bucket.put("tones.jsonl", "\n")
    error = refused(place)
    assert error.reason is Reason.DATASET_INVALID
    assert "no rows" in error.message


def test_bad_rows_are_left_out_within_their_limit_and_the_report_names_them(place):
    place.bucket.put("tones.jsonl", jsonl(TONES) + "broken\n")
    assert "line 5 of tones.jsonl: not JSON" in refused(place).message

    source = {"s3": place.bucket.location("tones.jsonl")}
    prepared(place, place.spec(dataConfigs=[data_config(source, maxBadRows=1)]))

    report = json.loads(place.bucket.get(f"store/team/jobs/{place.uid}/report.json"))
    [data] = report["data"]
    assert (data["rows"], data["badRows"]) == (4, 1)
    assert data["badRowsNamed"][0].startswith("line 5 of tones.jsonl: not JSON")


@pytest.mark.parametrize("fields", [{"maxSamples": 3}, {"filters": [{"column": "tone", "values": ["joy", "fear"]}]}])
def test_fewer_rows_give_other_keys(place, fields):
    first = keys(prepared(place))
    less = place.spec(dataConfigs=[data_config({"s3": place.bucket.location("tones.jsonl")}, **fields)])
    assert not set(first) & set(keys(prepared(place.another(), less)))


def test_choosing_the_same_rows_in_another_way_gives_the_same_keys(place):
    first = keys(prepared(place))
    place.bucket.put("set/tones.csv", "phrase,tone\n" + "".join(f"{row['phrase']},{row['tone']}\n" for row in TONES))
    fields = {"files": ["*.csv"], "format": "csv", "maxSamples": 99, "maxBadRows": 5}
    elsewhere = place.spec(dataConfigs=[data_config({"s3": place.bucket.location("set")}, **fields)])
    assert keys(prepared(place.another(), elsewhere)) == first

    inline = place.spec(dataConfigs=[data_config({"inline": {"text": jsonl(TONES)}})])
    assert keys(prepared(place.another(), inline)) == first


def test_rows_that_are_not_there_are_named(place):
    error = refused(place, place.spec(dataConfigs=[data_config({"s3": place.bucket.location("other.jsonl")})]))
    assert error.reason is Reason.DATASET_INVALID
    assert error.path == "spec.dataConfigs[0].source.s3.uri"


@pytest.mark.parametrize(("rows", "field", "value"), [(1, "evalFraction", 0.5), (3, "evalRows", 3)])
def test_more_rows_than_leave_one_to_train_on_cannot_be_held_out(place, rows, field, value):
    place.bucket.put("tones.jsonl", jsonl([*TONES[:rows], TONES[0]]))
    passes = [{"name": "tune", "lora": {"trainData": "tones", field: value}}]
    error = refused(place, place.spec(passes=passes))
    assert error.path == f"spec.passes[0].lora.{field}"


# Places and credentials


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


def test_wrong_credentials_of_the_store_are_named(place):
    place.secret("wrong", AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY="wrong")
    location = place.bucket.location("store", credentialsSecretRef={"name": "wrong"})
    error = refused(place, place.spec(store={"s3": location}))
    assert error.reason is Reason.AUTH_DENIED
    assert error.path == "spec.store.s3.credentialsSecretRef"


def test_a_missing_bucket_of_the_output_is_found_before_anything_runs(place):
    error = refused(place, place.spec(output={"s3": place.bucket.location("x", uri="s3://no-such-bucket/x")}))
    assert error.reason is Reason.INVALID_SPEC
    assert error.path == "spec.output.s3.uri"


def test_a_job_without_a_store_is_told_where_to_set_one(place):
    spec = place.spec()
    del spec["store"]
    with pytest.raises(FineTuneError, match="no store is set") as caught:
        place.job(spec)
    assert caught.value.path == "spec.store"


def test_a_spec_that_is_wrong_in_itself_is_refused_with_its_place(place):
    with pytest.raises(FineTuneError, match="mergeAdapterWeights works on an adapter") as caught:
        place.job(place.spec(passes=[{"name": "merge", "mergeAdapterWeights": {}}]))
    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path == "spec.passes[0]"


def test_everything_works_on_volumes_too(place, tmp_path):
    make_fake_model(place.layout.volumes / "claim/base")
    (place.layout.volumes / "claim/tones.jsonl").write_text(jsonl(TONES))
    spec = place.spec(
        inputModel={"source": {"volume": {"claimName": "claim", "path": "base"}}},
        dataConfigs=[data_config({"volume": {"claimName": "claim", "path": "tones.jsonl"}})],
        store={"volume": {"claimName": "claim", "path": "store"}},
        output={"volume": {"claimName": "claim", "path": "out"}},
    )
    prepared(place, spec)
    finish_passes(place, ["tune", "merge", "int4"], spec=spec)

    message = prepared(place, spec)

    assert message.published.uri == "volume://claim/out"
    assert (place.layout.volumes / "claim/out/manifest.json").is_file()
