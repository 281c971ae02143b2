"""Publication: files first, the manifest last, and nothing replaced that isn't meant to be."""

import json

import pytest

import finished_passes
from finetune_api.failures import FineTuneError, Reason
from finetune_runner.committed import find_committed
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finetune_runner.publishing.publish import publish
from finetune_runner.publishing.report import report_of
from finetune_runner.store.s3 import S3Store
from finished_passes import finish_passes
from runner_place import TONES, jsonl
from s3_proxy import Harm, proxied
from s3_server import ACCESS_KEY, SECRET_KEY

CHAIN = ["tune", "merge", "int4"]


BESIDE = {"report.json", "README.md", "provenance.intoto.json"}


def finished(place, spec=None, text="content"):
    """A job whose passes are committed, and nothing published yet."""
    prepare(place.job(spec), Outcome(kind="prepare"))
    finish_passes(place, CHAIN, spec=spec, text=text)
    return place


def published(place, spec=None):
    job = place.job(spec)
    pinned = required(job)
    committed = find_committed(job, pinned)
    return publish(job, pinned, committed, report_of(job, pinned, committed), has_key=True)


def at_output(place, name):
    return place.bucket.get(f"out/{name}").decode()


def overwriting(place):
    return place.spec(output={"s3": place.bucket.location("out"), "overwrite": True})


def other_job(place):
    """Another job for the same output, with other rows."""
    place.bucket.put("tones.jsonl", jsonl(TONES[:2]))
    return finished(place.another(), overwriting(place), text="newer")


def test_the_artifact_lies_there_with_manifest_report_and_card(place):
    published(finished(place))

    own, beside = {"genai_config.json", "model.onnx", "deep/model.onnx.data"}, BESIDE | {"manifest.json"}
    assert set(place.bucket.object_keys("out/")) == {f"out/{name}" for name in own | beside}
    assert at_output(place, "model.onnx") == "model.onnx: content"
    assert json.loads(at_output(place, "report.json"))["uid"] == place.uid
    assert "tuned by `lora` on 4 rows of `tones`" in at_output(place, "README.md")


def test_a_files_own_place_is_not_taken_by_what_is_published_beside(place, monkeypatch):
    monkeypatch.setitem(finished_passes.FILES, "model_builder", ("model.onnx", "README.md"))
    published(finished(place))
    assert at_output(place, "README.md") == "README.md: content"


@pytest.mark.parametrize("name", ["provenance.intoto.json", "manifest.json"])
def test_nothing_stands_in_for_our_manifest_and_provenance(place, monkeypatch, name):
    monkeypatch.setitem(finished_passes.FILES, "model_builder", ("model.onnx", name))
    finished(place)
    with pytest.raises(FineTuneError, match=f"the artifact has a file {name} of its own") as caught:
        published(place)
    assert caught.value.reason is Reason.INVALID_SPEC
    assert place.bucket.object_keys("out/") == []


def test_the_manifest_is_the_last_thing_written(place, monkeypatch):
    finished(place)
    monkeypatch.setattr(S3Store, "put_if_absent", _dies)

    with pytest.raises(ConnectionError):
        published(place)

    assert "out/model.onnx" in place.bucket.object_keys("out/")
    assert "out/manifest.json" not in place.bucket.object_keys("out/")


def test_a_publication_that_was_cut_off_is_completed(place, monkeypatch):
    finished(place)
    with monkeypatch.context() as cut:
        cut.setattr(S3Store, "put_if_absent", _dies)
        with pytest.raises(ConnectionError):
            published(place)

    assert published(place).uri == f"s3://{place.bucket.name}/out"
    assert "out/manifest.json" in place.bucket.object_keys("out/")


def test_publishing_the_same_again_writes_nothing(place, monkeypatch):
    first = published(finished(place))
    for method in ("put", "upload", "copy_from", "put_if_absent", "delete"):
        monkeypatch.setattr(S3Store, method, _dies)
    assert published(place) == first


def test_another_artifact_is_not_replaced_unasked(place):
    first = finished(place)
    published(first)
    place.bucket.put("tones.jsonl", jsonl(TONES[:2]))
    second = place.another()
    with pytest.raises(FineTuneError, match="another artifact is already at"):
        prepare(second.job(), Outcome(kind="prepare"))
    assert at_output(place, "model.onnx") == "model.onnx: content"


def test_another_artifact_is_replaced_when_told_to(place):
    published(finished(place))
    second = other_job(place)

    published(second, overwriting(place))

    assert at_output(place, "model.onnx") == "model.onnx: newer"
    assert json.loads(at_output(place, "report.json"))["uid"] == second.uid


def test_while_an_artifact_is_being_replaced_there_is_none(place, monkeypatch):
    published(finished(place))
    second = other_job(place)
    monkeypatch.setattr(S3Store, "copy_from", _dies)

    with pytest.raises(ConnectionError):
        published(second, overwriting(place))

    left = place.bucket.object_keys("out/")
    assert "out/manifest.json" not in left
    assert "out/provenance.intoto.json" not in left, "by it the older job's deletion takes the new files"


def test_what_is_changed_while_it_is_published_is_not_called_published(place, monkeypatch):
    """As by the deletion of the job whose artifact it replaces."""
    put = S3Store.put_if_absent

    def loses_a_file(store, key, content):
        done = put(store, key, content)
        place.bucket.delete("out/model.onnx")
        return done

    done = finished(place)
    monkeypatch.setattr(S3Store, "put_if_absent", loses_a_file)
    with pytest.raises(FineTuneError, match="publishes or removes its artifact"):
        published(done)


def test_files_that_only_the_older_artifact_had_are_removed(place):
    published(finished(place))
    manifest = json.loads(at_output(place, "manifest.json"))
    manifest["files"].append({"path": "old.bin", "sha256": "0" * 64, "size": 3})
    place.bucket.put("out/manifest.json", json.dumps(manifest))
    place.bucket.put("out/old.bin", "old")
    place.bucket.put("out/notes.txt", "somebody's own")

    published(other_job(place), overwriting(place))

    assert "out/old.bin" not in place.bucket.object_keys("out/")
    assert "out/notes.txt" in place.bucket.object_keys("out/")


@pytest.mark.parametrize("same_account", [True, False])
def test_a_file_that_changed_in_the_store_is_never_published(place, same_account):
    place.secret("other", AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    reference = {"credentialsSecretRef": {"name": "s3" if same_account else "other"}}
    spec = place.spec(output={"s3": place.bucket.location("out", **reference)})
    finished(place, spec)
    name = next(key for key in place.bucket.object_keys("store/team/cache/") if key.endswith("/model.onnx"))
    place.bucket.put(name, "model.onnx: tampere")

    with pytest.raises(FineTuneError, match=r"model\.onnx is not what was committed") as caught:
        published(place, spec)

    assert caught.value.reason is Reason.ARTIFACT_CORRUPT
    assert "out/manifest.json" not in place.bucket.object_keys("out/")
    assert "int4" not in find_committed(place.job(spec), required(place.job(spec)))  # a retry makes it anew


def test_a_file_that_is_gone_from_the_store_is_never_published(place):
    finished(place)
    job = place.job()
    pinned = required(job)
    committed = find_committed(job, pinned)
    place.bucket.delete(
        next(key for key in place.bucket.object_keys("store/team/cache/") if key.endswith("model.onnx"))
    )

    with pytest.raises(FineTuneError, match=r"model\.onnx is not what was committed") as caught:
        publish(job, pinned, committed, report_of(job, pinned, committed), has_key=True)

    assert caught.value.reason is Reason.ARTIFACT_CORRUPT
    assert "out/manifest.json" not in place.bucket.object_keys("out/")


@pytest.mark.parametrize(("field", "value"), [("digest", "0" * 64), ("sizeBytes", 1)])
def test_an_output_whose_manifest_was_changed_does_not_count(place, field, value):
    finished(place)
    for key in [key for key in place.bucket.object_keys("store/team/cache/") if key.endswith("/manifest.json")]:
        manifest = json.loads(place.bucket.get(key))
        assert field in manifest
        place.bucket.put(key, json.dumps(manifest | {field: value}))

    assert find_committed(place.job(), required(place.job())) == {}
    prepare(place.job(), Outcome(kind="prepare"))  # which publishes where all passes are committed
    assert place.bucket.object_keys("out/") == []


def test_an_output_of_another_account_is_published_through_the_pod(place):
    place.secret("other", AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    spec = place.spec(output={"s3": place.bucket.location("out", credentialsSecretRef={"name": "other"})})
    published(finished(place, spec), spec)
    assert at_output(place, "model.onnx") == "model.onnx: content"


def test_without_an_output_the_artifact_stays_in_the_store(place):
    spec = place.spec()
    del spec["output"]
    uri = published(finished(place, spec), spec).uri
    assert uri.startswith(f"s3://{place.bucket.name}/store/team/cache/")
    assert place.bucket.get(f"{uri.removeprefix(f's3://{place.bucket.name}/')}/model.onnx")


def test_a_foreign_manifest_at_the_output_is_not_touched(place):
    finished(place)
    place.bucket.put("out/manifest.json", '{"somebody": "else"}')
    with pytest.raises(FineTuneError, match="is not one of ours"):
        published(place)
    assert at_output(place, "manifest.json") == '{"somebody": "else"}'


@pytest.mark.parametrize(
    "comes_to_it", [published, lambda place, spec: prepare(place.job(spec), Outcome(kind="prepare"))]
)
def test_an_output_that_is_away_after_prepare_has_probed_it_is_waited_for(place, s3_server, monkeypatch, comes_to_it):
    monkeypatch.setattr("finetune_runner.store.s3_client.ATTEMPTS", 1)
    monkeypatch.setattr("finetune_runner.store.patience.PAUSE_SECONDS", 0.05)
    with proxied(s3_server) as proxy:
        spec = place.spec(output={"s3": place.bucket.location("out") | {"endpoint": proxy.endpoint}})
        finished(place, spec)
        proxy.harm(Harm.UNAVAILABLE, lambda _: True, times=3)

        comes_to_it(place, spec)

    assert "out/manifest.json" in place.bucket.object_keys("out/")


def _dies(*_, **__):
    raise ConnectionError
