"""Prepare, against a real S3 server: what it pins, and what it leaves behind."""

from finetune_runner.prepared import required
from preparing import prepared


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


def test_nothing_is_left_behind_but_what_is_about_the_job(place):
    prepared(place)
    written = [key for key in place.bucket.object_keys() if not key.startswith(("base/", "tones"))]
    assert written == [f"store/team/jobs/{place.uid}/{name}.json" for name in ("prepared", "report")]


def test_the_weights_are_not_downloaded(place):
    prepared(place)
    assert not list(place.layout.work.rglob("*.safetensors"))


def test_a_later_prepare_of_the_same_job_pins_nothing_anew(place):
    """It is also recovery: what was there at first counts, even if the data is gone by now."""
    first = keys(prepared(place))
    place.bucket.delete("tones.jsonl")
    place.bucket.delete("base/config.json")
    assert keys(prepared(place)) == first
