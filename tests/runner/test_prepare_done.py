"""What prepare finds done, and publishes when that is all."""

from fake_model import make_fake_model
from finetune_api.failures import Reason
from finished_passes import finish_passes
from preparing import prepared, refused
from runner_place import TONES, data_config, jsonl


def test_committed_passes_are_told_with_digest_and_size(place):
    prepared(place)
    manifests = finish_passes(place, ["tune"])

    message = prepared(place)

    assert [bool(step.digest) for step in message.passes] == [True, False, False]
    assert message.passes[0].size_bytes == manifests["tune"].size_bytes > 0


def test_when_all_passes_are_committed_prepare_publishes_the_artifact(place):
    prepared(place)
    finish_passes(place, ["tune", "merge", "int4"])

    message = prepared(place.another())

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
