"""The lease of an output: one of several jobs holds it, keeps it while it works, and loses it when it died."""

import threading

import pytest

from finetune_api.resource.locations import S3Location
from finetune_runner.store.commit import Cache
from finetune_runner.store.lease import Lease, Leases, TakenError, lease_in
from finetune_runner.store.opening import open_s3
from s3_proxy import Harm, proxied
from stores import in_parallel, open_store
from waiting import until

KEY = "0" * 32


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


def _ended(cache):
    """Whether another job could end the first one's lease: not while it is just being renewed."""
    leases(cache, "second").end(KEY, lease_of("first"))
    return stored(cache) == (None, "")
