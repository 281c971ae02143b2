"""Two jobs that need the same output make it once; the one that comes second loses nothing when the first dies."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager

import pytest

from finetune_api.resource.locations import S3Location
from finetune_cli.local.chain import run_chain
from finetune_cli.local.pod_root import Mapped
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from finetune_runner.store.commit import Cache
from finetune_runner.store.lease import Lease, Leases, TakenError, lease_in
from finetune_runner.store.opening import open_s3
from finished_passes import finish_passes
from runner_place import environment
from s3_proxy import Harm, proxied
from s3_server import free_port
from stores import in_parallel, open_store

KEY = "0" * 32
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


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(params=["s3", "volume"])
def cache(place, request):
    return Cache(open_store(place, request.param), "team")


def leases(cache, job, pod="pod", **more):
    return Leases(cache, job=f"uid-of-{job}", name=job, pod=pod, **more)


def lease_of(job):
    return Lease(job=f"uid-of-{job}", name=job, pod="pod", seconds=60)


def stored(cache):
    """The lease in the store, and its etag."""
    content = cache.store.get(f"{cache.folder(KEY)}/lease.json")
    return (lease_in(content), content.etag) if content else (None, "")


def until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"{what} has not come")


def test_of_jobs_at_once_one_holds_the_lease(cache):
    held = threading.Barrier(6)

    def take(number):
        try:
            with leases(cache, f"job-{number}").held(KEY):
                held.wait()
                return ""
        except TakenError as taken:
            held.wait()
            return taken.lease.name

    results = in_parallel(take, 6)

    winner = results.index("")
    assert [name for name in results if name] == [f"job-{winner}"] * 5


def test_a_lease_is_given_back_at_the_end_of_the_work_however_it_ends(cache):
    def work_that_fails():
        with leases(cache, "first").held(KEY):
            assert leases(cache, "second").other(KEY).name == "first"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work_that_fails()
    assert stored(cache) == (None, "")
    assert leases(cache, "second").other(KEY) is None


def watched(waiting, clock, seconds):
    """What one sees who looks every five seconds for a time."""
    for _ in range(seconds // 5):
        waiting.other(KEY)
        clock.now += 5
    return waiting.other(KEY)


def test_a_lease_has_expired_once_it_was_seen_unchanged_for_its_time(cache):
    clock = Clock()
    waiting = leases(cache, "second", clock=clock)
    lease = lease_of("first")
    cache.store.put(f"{cache.folder(KEY)}/lease.json", lease.encode())
    clock.now = 1000.0
    assert watched(waiting, clock, 55) == lease
    renewed = lease.model_copy(update={"renewals": 1})
    cache.store.put(f"{cache.folder(KEY)}/lease.json", renewed.encode())
    clock.now += 5
    assert watched(waiting, clock, 55) == renewed
    assert watched(waiting, clock, 5) is None

    with waiting.held(KEY):
        assert stored(cache)[0].name == "second"


def test_while_nobody_could_look_no_lease_expires(cache):
    """As when the store is away, for its owner too, who can't renew it then."""
    clock = Clock()
    waiting = leases(cache, "second", clock=clock)
    lease = lease_of("first")
    cache.store.put(f"{cache.folder(KEY)}/lease.json", lease.encode())
    assert watched(waiting, clock, 15) == lease
    clock.now += 600
    assert watched(waiting, clock, 55) == lease
    assert watched(waiting, clock, 5) is None


def test_one_that_expired_is_ended_and_one_that_was_renewed_just_then_stays(cache):
    clock = Clock()
    waiting = leases(cache, "second", clock=clock)
    renewed = lease_of("first").model_copy(update={"renewals": 1})
    cache.store.put(f"{cache.folder(KEY)}/lease.json", lease_of("first").encode())
    assert watched(waiting, clock, 60) is None
    cache.store.put(f"{cache.folder(KEY)}/lease.json", renewed.encode())
    waiting.end_expired(KEY)
    assert stored(cache)[0] == renewed

    assert watched(waiting, clock, 60) is None
    waiting.end_expired(KEY)
    assert stored(cache) == (None, "")


def test_another_pod_of_the_same_job_takes_the_lease_over_at_once_and_keeps_it(cache):
    with leases(cache, "first", pod="gone").held(KEY):
        with leases(cache, "first", pod="new").held(KEY):
            assert stored(cache)[0].pod == "new"
        assert stored(cache) == (None, "")


def test_a_lease_that_is_held_is_renewed_and_one_that_was_lost_is_left_alone(cache):
    with leases(cache, "first", seconds=0.9).held(KEY):
        _, etag = stored(cache)
        until(lambda: stored(cache)[1] != etag, "a renewal")
        leases(cache, "second").end(KEY, lease_of("third"))
        assert stored(cache)[0].name == "first"
        until(lambda: _ended(cache), "a moment without renewal")
        until(lambda: "lease" not in [thread.name for thread in threading.enumerate()], "the end of renewing")
        other = lease_of("third")
        cache.store.put(f"{cache.folder(KEY)}/lease.json", other.encode())
    assert stored(cache)[0] == other


def test_a_lease_whose_renewals_answer_is_lost_is_held_on_and_given_back(place, s3_server):
    """The client sends the renewal again and hears that the lease has changed: by itself."""
    with proxied(s3_server) as proxy:
        location = place.bucket.location("kept") | {"endpoint": proxy.endpoint}
        cache = Cache(open_s3(S3Location(**location), place.layout, "spec.store.s3"), "team")
        lost = proxy.harm(
            Harm.ANSWER_LOST, lambda request: "If-Match" in request.headers and request.method == "PUT", 1
        )
        with leases(cache, "first", seconds=0.3).held(KEY):
            until(lambda: not lost.times and stored(cache)[0].renewals > 1, "a renewal after the lost one", seconds=10)
        assert stored(cache) == (None, "")


def test_what_is_no_lease_is_none(cache):
    cache.store.put(f"{cache.folder(KEY)}/lease.json", b"{}")
    assert leases(cache, "first").other(KEY) is None
    with leases(cache, "first").held(KEY):
        assert stored(cache)[0].name == "first"


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
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@contextmanager
def preparing(place):
    """A process that prepares the job, and what it says of itself once it waits."""
    port = free_port()
    place.write_job(place.spec())
    command = [*place.command("prepare"), "--progress-port", str(port)]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
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
        lease = lease_of("other").model_copy(update={"seconds": 1})
        job.store.put(f"{job.cache.folder(required(job).key_of('tune'))}/lease.json", lease.encode())

    def progress(self, progress):
        """Nothing is trained."""


def said(port, page):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
            return json.loads(answer.read())
    except (OSError, ValueError):
        return None


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


def _ended(cache):
    """Whether another job could end the first one's lease: not while it is just being renewed."""
    leases(cache, "second").end(KEY, lease_of("first"))
    return stored(cache) == (None, "")
