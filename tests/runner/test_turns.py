"""Two jobs that need the same output make it once; the one that comes second loses nothing when the first dies."""

import subprocess
import sys
from contextlib import contextmanager

import pytest

from finetune_cli.local.chain import run_chain
from finetune_cli.local.pod_root import Mapped
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from finetune_runner.store.lease import Lease
from finished_passes import finish_passes
from processes import running
from runner_place import environment
from s3_server import free_port
from said import said
from waiting import until

HOLDER = """
import sys
from pathlib import Path
from finetune_runner.job import open_job, read_document
from finetune_runner.layout import PodLayout
from finetune_runner.store.lease import Leases
layout = PodLayout.under(Path(sys.argv[1]))
job = open_job(read_document(layout.job_file), layout)
own = {"job": job.document.uid, "name": "first", "pod": layout.pod_uid, "seconds": float(sys.argv[3])}
with Leases(job.cache, **own).held(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def two(place):
    """Two prepared jobs that are alike, and the key of their first pass."""
    another = place.another()
    for job in (another, place):
        prepare(job.job(), Outcome(kind="prepare"))
    return place, another, required(place.job()).key_of("tune")


@contextmanager
def held(two, seconds):
    """A process of the first job that holds the lease of its first pass."""
    place, _, key = two
    command = [sys.executable, "-c", HOLDER, str(place.root), key, str(seconds)]
    place.write_job(place.spec())
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process


@contextmanager
def preparing(place):
    """A process that prepares the job, and what it says of itself once it waits."""
    port = free_port()
    place.write_job(place.spec())
    command = [*place.command("prepare"), "--progress-port", str(port)]
    with running(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        until(lambda: said(port, "progress"), "its progress")
        yield process, {page: said(port, page) for page in ("progress", "outcome")}


class Interloper:
    """Lets another job begin the first pass just before the stage does; ends the run when the stage begins again."""

    def __init__(self, place):
        self.place, self.begun = place, 0

    def stage_begins(self, stage):
        self.begun += 1
        if self.begun > 1:
            raise KeyboardInterrupt
        job = self.place.job()
        lease = Lease(job="uid-of-other", name="other", pod="pod", seconds=1)
        job.store.put(f"{job.cache.folder(required(job).key_of('tune'))}/lease.json", lease.encode())

    def progress(self, progress):
        """Nothing is trained."""


def test_prepare_waits_for_the_job_that_makes_its_pass_and_says_so_and_finds_it_committed(two):
    place, another, _ = two
    with held(two, seconds=60) as holder, preparing(another) as (waiting, told):
        assert told["progress"]["pass"] == "tune"
        assert told["outcome"]["gaveWay"] == {"i": 0, "j": "first"}
        assert waiting.poll() is None
        finish_passes(place, ["tune"])
        holder.communicate("\n")
        assert waiting.wait(60) == 0, waiting.stderr.read()

    word = another.last_word()
    assert [bool(step.digest) for step in word.passes] == [True, False, False]
    assert word.gave_way is None


def test_when_the_job_that_was_waited_for_is_killed_prepare_goes_on(two):
    _, another, key = two
    with held(two, seconds=3) as holder, preparing(another) as (waiting, _):
        holder.kill()
        assert waiting.wait(60) == 0, waiting.stderr.read()

    assert [bool(step.digest) for step in another.last_word().passes] == [False] * 3
    assert f"store/team/cache/{key}/lease.json" not in another.bucket.object_keys("store/")


def test_one_that_works_for_ever_is_not_waited_for_for_ever(two, monkeypatch):
    _, another, key = two
    monkeypatch.setattr("finetune_runner.turns.MOST_SECONDS", 0)
    monkeypatch.setattr("finetune_runner.turns.POLL_SECONDS", 0)
    with held(two, seconds=60):
        prepare(another.job(), Outcome(kind="prepare"))
        assert f"store/team/cache/{key}/lease.json" not in another.bucket.object_keys("store/")


def test_a_stage_gives_way_to_the_job_that_makes_its_next_pass(two, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    _, another, _ = two
    outcome = Outcome(kind="stage")
    with held(two, seconds=60):
        run_stage(another.job(), 0, outcome, ProgressState())

    word = outcome.message(None, first=frozenset())
    assert (word.gave_way.index, word.gave_way.job) == (0, "first")
    assert [step.digest for step in word.passes] == [""] * 3
    assert not (another.layout.work / "base").exists()


def test_a_run_without_a_cluster_waits_too_and_begins_its_stage_again(place):
    watcher = Interloper(place)
    mapped = Mapped({}, {"s3": place.layout.secrets / "s3"}, {})

    with pytest.raises(KeyboardInterrupt):
        run_chain(place.job().document, place.root / "here", mapped, watcher)

    assert watcher.begun == 2
    [log] = (place.root / "here" / "logs").iterdir()
    assert "giving way to it" in log.read_text()
