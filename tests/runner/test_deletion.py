"""finetune-runner delete: what was the job's own goes, what others may use stays; on a real S3 server."""

import json

import pytest

from finetune_api.failures import EXIT_CODES, Reason
from finetune_api.resource.locations import S3Location
from finetune_runner.committed import find_committed
from finetune_runner.deletion import delete, read_deletion
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finetune_runner.publishing.unpublish import unpublish
from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.opening import open_s3
from finetune_runner.store.s3 import S3Store
from finetune_runner.store.token_cache import TokenCache
from finetune_runner.turns import leases_of
from finished_passes import finish_passes

CHAIN = ["tune", "merge", "int4"]


def finished(place, spec=None):
    """A job that has published its artifact."""
    prepare(place.job(spec), Outcome(kind="prepare"))
    finish_passes(place, CHAIN, spec=spec)
    prepare(place.job(spec), Outcome(kind="prepare"))
    return place


def is_deleted(place, spec=None, **changes):
    """The document is there, as the operator mounts it."""
    spec = spec or place.spec()
    document = {"namespace": place.namespace, "name": "job", "uid": place.uid, "store": spec["store"]}
    document |= {"output": spec.get("output"), **changes}
    file = place.layout.deletion_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document))
    return place


def delete_for(place, spec=None, **changes):
    delete(read_deletion(is_deleted(place, spec, **changes).layout.deletion_file), place.layout)


def keep_checkpoint(place, tmp_path, job):
    opened = place.job()
    key = required(opened).key_of("tune")
    folder = tmp_path / "checkpoint"
    folder.mkdir(exist_ok=True)
    (folder / "adapter.bin").write_bytes(b"content")
    made = {"attempt": f"pod-of-{job}", "job": job, "kind": "lora", "pass_version": 1, "inputs": {}}
    CheckpointStore(opened.cache, key, **made).save(7, folder, keep=9)
    return f"store/team/cache/{key}/checkpoints/00000007-pod-of-{job}/"


def test_the_artifact_and_what_is_about_the_job_alone_go_and_reusable_outputs_stay(place):
    finished(place)
    place.bucket.put("out/notes.txt", "somebody's own")

    ended = is_deleted(place).run("delete")

    assert (ended.code, ended.message.kind) == (0, "delete")
    assert place.bucket.object_keys("out/") == ["out/notes.txt"]
    assert place.bucket.object_keys(f"store/team/jobs/{place.uid}/") == []
    prepare(place.another().job(place.spec()), found := Outcome(kind="prepare"))
    assert all(step.digest for step in found.passes.values())


def test_done_again_it_finds_nothing_to_do(place):
    finished(place)
    delete_for(place)
    delete_for(place)
    assert place.bucket.object_keys("out/") == []


def test_an_artifact_that_another_job_has_published_stays(place):
    finished(place)
    other = place.another()
    prepare(other.job(), Outcome(kind="prepare"))
    before = place.bucket.object_keys("out/")

    delete_for(other)

    assert place.bucket.object_keys("out/") == before


def test_cut_off_in_the_middle_the_rest_goes_the_next_time(place, monkeypatch):
    finished(place)
    output = open_s3(S3Location(**place.bucket.location("out")), place.layout, "spec.output.s3")
    whole, deletions = S3Store.delete, []

    def dies(store, key):
        deletions.append(key)
        if len(deletions) == 3:
            raise ConnectionError
        whole(store, key)

    monkeypatch.setattr(S3Store, "delete", dies)
    with pytest.raises(ConnectionError):
        unpublish(output, place.uid)
    assert deletions[0] == "manifest.json"
    unpublish(output, place.uid)
    assert place.bucket.object_keys("out/") == []


def test_its_own_checkpoints_go_and_those_of_others_stay(place, tmp_path):
    prepare(place.job(), Outcome(kind="prepare"))
    own, other = keep_checkpoint(place, tmp_path, "job"), keep_checkpoint(place, tmp_path, "another")

    delete_for(place)

    assert place.bucket.object_keys(own) == []
    assert len(place.bucket.object_keys(other)) == 2


def test_a_job_that_goes_on_from_its_checkpoint_keeps_it(place, tmp_path):
    prepare(place.job(), Outcome(kind="prepare"))
    own, key = keep_checkpoint(place, tmp_path, "job"), required(place.job()).key_of("tune")
    with leases_of(place.another().job()).held(key):
        delete_for(place)
    assert len(place.bucket.object_keys(own)) == 2


def test_without_reuse_its_outputs_go_too(place):
    spec = place.spec(engine={"cache": False})
    finished(place, spec)
    job = place.job(spec)
    assert len(find_committed(job, required(job))) == 3
    tokens = TokenCache(job.cache, "a" * 32, attempt="pod", job_folder=job.folder)
    tokens.save(place.root / "made" / "tune")

    delete_for(place, spec, reusable=False)

    assert place.bucket.object_keys("out/") == []
    assert place.bucket.object_keys("store/team/cache/") == []


def test_files_outside_of_the_artifact_that_its_provenance_names_stay(place):
    finished(place)
    place.bucket.put("kept.txt", "kept")
    statement = json.loads(place.bucket.get("out/provenance.intoto.json"))
    statement["subject"].append({"name": "../kept.txt", "digest": {"sha256": "0" * 64}})
    place.bucket.put("out/provenance.intoto.json", json.dumps(statement))

    delete_for(place)

    assert place.bucket.get("kept.txt") == b"kept"


def test_credentials_that_are_gone_are_told(place):
    finished(place)
    for file in (place.layout.secrets / "s3").iterdir():
        file.unlink()
    ended = is_deleted(place).run("delete")
    assert ended.code == EXIT_CODES[Reason.AUTH_DENIED]
    assert ended.message.failure.reason is Reason.AUTH_DENIED


def test_of_a_job_that_was_never_prepared_nothing_is_there(place):
    before = place.bucket.object_keys("")
    delete_for(place)
    assert place.bucket.object_keys("") == before
