"""finetune cache: what a store keeps is listed, and what nobody uses is pruned, in a bucket as in a folder."""

import os
import time

import pytest

from command_line import finetune
from finetune_runner.committed import find_committed
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.token_cache import TokenCache
from finetune_runner.turns import leases_of
from finished_passes import finish_passes
from s3_server import ACCESS_KEY, SECRET_KEY

__all__ = ["finetune"]

DAY = 86400


class Kept:
    """A store with the outputs of a job's first two passes, and what `finetune cache` makes of it."""

    def __init__(self, place, finetune, spec, folder, location):
        self.place, self.spec, self.finetune, self.folder, self.location = place, spec, finetune, folder, location
        prepare(place.job(spec), Outcome(kind="prepare"))
        finish_passes(place, ["tune", "merge"], spec=spec)

    @property
    def store(self):
        return self.place.job(self.spec).store

    def key(self, name):
        return required(self.place.job(self.spec)).key_of(name)

    def cache(self, command, *options):
        ended = self.finetune("cache", command, "--store", self.location, *options)
        assert ended.code == 0, ended.err
        return ended.out

    def listed(self, name):
        """The line about a pass."""
        [line] = [line for line in self.cache("list").splitlines() if self.key(name) in line]
        return line

    def job_finds(self, name):
        job = self.place.job(self.spec)
        return name in find_committed(job, required(job))

    def objects(self, prefix=""):
        return [info.key for info in self.store.list(prefix)]

    def put(self, key, data=b"content"):
        self.store.put(key, data)

    def put_checkpoint(self, name, kind="checkpoints"):
        folder = f"team/cache/{self.key(name)}/{kind}/00000007-pod"
        for file in ("adapter.bin", "manifest.json"):
            self.put(f"{folder}/{file}")
        return folder

    def age(self, prefix, days):
        """Makes objects as old as that: both kinds of store are files here."""
        for key in self.objects(prefix):
            when = time.time() - days * DAY
            os.utime(self.folder / key, (when, when))


@pytest.fixture(params=["s3", "volume"])
def kept(request, place, finetune, monkeypatch):
    if request.param == "volume":
        folder = place.layout.volumes / "models"
        folder.mkdir(parents=True)
        return Kept(place, finetune, place.spec(store={"volume": {"claimName": "models"}}), folder, folder)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", place.bucket.server.endpoint)
    folder = place.bucket.server.folder / place.bucket.name / "store"
    return Kept(place, finetune, place.spec(), folder, f"s3://{place.bucket.name}/store")


def test_outputs_are_listed_with_pass_job_size_age_and_last_use(kept):
    kept.age("", 40)
    kept.age("team/jobs/", 3)
    kept.put_checkpoint("int4")

    assert kept.listed("tune").split()[1:] == ["lora", "job", "62", "bytes", "40d", "3d"]
    assert kept.listed("merge").split()[1:3] == ["mergeAdapterWeights", "job"]
    assert kept.listed("int4").split()[1:] == ["-", "-", "14", "bytes", "-", "-", "1", "checkpoints"]
    assert kept.cache("list").splitlines()[-1].startswith("3 keys, ")


def test_pruning_only_tells_until_it_is_told_to(kept):
    kept.age("", 40)
    before = kept.objects()

    told = kept.cache("prune", "--older-than", "30d")

    assert f"would remove team/cache/{kept.key('tune')}: lora of job job, 62 bytes, used 40d ago" in told
    assert "--yes does it" in told
    assert kept.objects() == before


def test_outputs_that_no_job_used_go_and_a_later_job_makes_them_anew(kept):
    kept.age("", 40)

    assert kept.cache("prune", "--older-than", "30d", "--yes").count("removed ") == 2

    assert kept.objects("team/cache/") == []
    outcome = Outcome(kind="prepare")
    prepare(kept.place.another().job(kept.spec), outcome)
    assert [step.digest for step in outcome.message(None, first=frozenset()).passes] == [""] * 3


def test_an_output_that_a_job_found_lately_stays(kept):
    kept.age("", 40)
    prepare(kept.place.another().job(kept.spec), Outcome(kind="prepare"))

    assert "would free 0 bytes" in kept.cache("prune", "--older-than", "30d")


def test_tokens_that_a_job_used_lately_stay_and_others_go(kept, tmp_path):
    job, other = kept.place.job(kept.spec), kept.place.another().job(kept.spec)
    prepare(other, Outcome(kind="prepare"))
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "tokens.bin").write_bytes(b"tokens")
    for key in ("a" * 32, "b" * 32):
        TokenCache(job.cache, key, attempt="pod", job_folder=job.folder).save(tmp_path / "rows")
    kept.age("", 40)
    (tmp_path / "restored").mkdir()
    assert TokenCache(other.cache, "a" * 32, attempt="pod", job_folder=other.folder).restore(tmp_path / "restored")

    told = kept.cache("prune", "--older-than", "30d")

    assert ("a" * 32 in told, "b" * 32 in told) == (False, True)


def test_what_a_job_at_work_needs_stays(kept):
    kept.put_checkpoint("int4")
    kept.age("", 40)
    job = kept.place.job(kept.spec)
    with leases_of(job).held(kept.key("int4")):
        assert "in use" in kept.listed("tune")
        assert "freed 0 bytes" in kept.cache("prune", "--older-than", "30d", "--unfinished", "7d", "--yes")
    assert kept.job_finds("tune")


def test_what_was_never_committed_goes_once_it_is_as_old_as_asked(kept):
    old, attempt = kept.put_checkpoint("int4"), kept.put_checkpoint("tune", "attempts")
    kept.age(old, 9)
    kept.age(attempt, 9)
    new = kept.put_checkpoint("merge")
    kept.age(new, 6)

    told = kept.cache("prune", "--unfinished", "7d", "--yes")

    assert told.count("removed ") == 2
    assert kept.objects(old) == kept.objects(attempt) == []
    assert len(kept.objects(new)) == 2
    assert kept.job_finds("tune")


def test_a_checkpoint_that_would_go_is_told_with_the_job_that_made_it(kept, tmp_path):
    """It may be suspended, or wait in a queue."""
    job, key = kept.place.job(kept.spec), kept.key("int4")
    (tmp_path / "adapter.bin").write_bytes(b"content")
    made = {"attempt": "pod", "job": "tone", "kind": "lora", "pass_version": 1, "inputs": {}}
    CheckpointStore(job.cache, key, **made).save(7, tmp_path, keep=1)
    kept.age("", 9)

    told = kept.cache("prune", "--unfinished", "7d")

    assert f"would remove team/cache/{key}/checkpoints/00000007-pod: checkpoint of job tone, " in told
    assert " 9d old" in told


def test_the_manifest_goes_first(kept, monkeypatch):
    """Whenever pruning is cut off, nothing half removed counts."""
    kept.age("", 40)
    deleted = []
    kind = type(kept.store.store)
    monkeypatch.setattr(kind, "delete", lambda _, key: deleted.append(key.rpartition("/")[2]))

    kept.cache("prune", "--older-than", "30d", "--yes")

    manifests = [number for number, name in enumerate(deleted) if name == "manifest.json"]
    assert manifests[0] == 0
    assert len(manifests) == 2
    assert len(deleted) > 4


def test_a_manifest_that_cannot_be_read_protects_what_may_be_its_files(kept):
    kept.put(f"team/cache/{kept.key('tune')}/manifest.json", b'{"version": 2}')
    kept.age("", 40)
    assert kept.cache("prune", "--older-than", "30d", "--unfinished", "7d", "--yes").count("removed ") == 1


def test_a_namespace_is_pruned_by_itself(kept):
    kept.age("", 40)
    assert "freed 0 bytes" in kept.cache("prune", "--older-than", "30d", "--yes", "--namespace", "tea")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say what is to go"),
        (["--older-than", "30"], "such as 30d"),
        (["--older-than", "1y"], "such as 30d"),
        (["--unfinished", "1"], "such as 30d"),
    ],
)
def test_misuse_is_told(finetune, tmp_path, options, words):
    ended = finetune("cache", "prune", "--store", tmp_path, *options)
    assert ended.code == 2
    assert words in ended.err


def test_an_empty_store_holds_nothing(finetune, tmp_path):
    assert finetune("cache", "list", "--store", tmp_path).out.splitlines()[-1] == "0 keys, 0 bytes"
