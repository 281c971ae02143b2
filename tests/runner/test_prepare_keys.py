"""What a pass's cache key follows, and what not."""

import json

import pytest

from finetune_runner.prepared import required
from preparing import prepared
from runner_place import TONES, data_config, jsonl


def keys(message):
    return [step.key for step in message.passes]


def test_the_licence_on_the_bases_card_is_noted_and_decides_nothing_else(place):
    without = keys(prepared(place))
    place.bucket.put("base/README.md", "---\nlicense: mit\n---\n# Base")
    other = place.another()

    assert keys(prepared(other)) == without
    assert required(other.job()).base.card.license == "mit"


def test_data_that_no_pass_uses_is_not_read(place):
    elsewhere = data_config({"s3": place.bucket.location("gone.jsonl")}, name="spare")
    used = place.spec()["dataConfigs"]
    first = keys(prepared(place))
    assert keys(prepared(place.another(), place.spec(dataConfigs=[elsewhere, *used]))) == first


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
