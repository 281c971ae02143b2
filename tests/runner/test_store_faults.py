"""Networks and services that fail, before a real S3 server: nothing half there is ever used, and little is lost."""

import subprocess
import sys
from hashlib import sha256

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import S3Location
from finetune_runner.__main__ import job_for, parser
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.store.commit import Cache
from finetune_runner.store.digests import file_sha256
from finetune_runner.store.opening import open_s3
from finetune_runner.store.patience import PatientStore
from preparing import prepared
from processes import running
from runner_place import environment
from s3_proxy import Harm, proxied
from s3_server import free_port
from said import said
from waiting import until

KEY = "0" * 32
UPSTREAM = {"input": "digest-of-the-base"}
PART = 5 * 1024**2


@pytest.fixture
def proxy(s3_server):
    with proxied(s3_server) as proxy:
        yield proxy


@pytest.fixture
def store(place, proxy, monkeypatch):
    monkeypatch.setattr("finetune_runner.store.s3_client.ATTEMPTS", 2)
    monkeypatch.setattr("finetune_runner.store.s3.PART_BYTES", PART)
    location = place.bucket.location("kept") | {"endpoint": proxy.endpoint}
    return open_s3(S3Location(**location), place.layout, "spec.store.s3")


@pytest.fixture
def big(tmp_path):
    """A file of three parts."""
    file = tmp_path / "big" / "model.bin"
    file.parent.mkdir()
    file.write_bytes(bytes(range(256)) * 48_000)
    return file


def commit(store, folder, attempt="pod-1"):
    given = {"kind": "lora", "pass_version": 1, "metrics": {}, "libraries": {}}
    return Cache(store, "team").commit(KEY, folder, attempt=attempt, inputs=UPSTREAM, **given)


def is_part(number=""):
    return lambda request: request.method == "PUT" and f"partNumber={number}" in request.path


def is_manifest(request):
    return request.method == "PUT" and request.path.endswith("/manifest.json")


def conditional(header):
    return lambda request: header in request.headers


def test_parts_that_get_lost_are_sent_again_and_no_others(store, proxy, big, tmp_path):
    proxy.harm(Harm.UNAVAILABLE, is_part(1), times=1)
    proxy.harm(Harm.CUT, is_part(2), times=1)
    proxy.harm(Harm.ANSWER_LOST, is_part(3), times=1)

    store.upload(big, "big")

    assert store.download(store.head("big"), tmp_path / "copy")
    assert file_sha256(tmp_path / "copy") == file_sha256(big)
    sent = [request.path.partition("partNumber=")[2][0] for request in proxy.seen if is_part()(request)]
    assert sorted(sent) == ["1", "1", "2", "2", "3", "3"]


def test_a_download_that_is_cut_off_arrives_whole(store, proxy, big, tmp_path):
    store.upload(big, "big")
    proxy.harm(Harm.ANSWER_CUT, lambda request: request.method == "GET" and "/big" in request.path, times=2)

    assert store.download(store.head("big"), tmp_path / "copy")
    assert file_sha256(tmp_path / "copy") == file_sha256(big)


def test_an_upload_that_never_ends_commits_nothing_and_leaves_no_half_of_a_file(store, proxy, big, place, tmp_path):
    proxy.harm(Harm.UNAVAILABLE, is_part(3))

    with pytest.raises(FineTuneError) as caught:
        commit(store, big.parent)

    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert place.bucket.object_keys("kept/") == []
    proxy.faults.clear()
    _, ours = commit(store, big.parent, attempt="pod-2")
    assert ours
    assert Cache(store, "team").find(KEY, UPSTREAM)


def test_a_commit_whose_answer_is_lost_stands_with_all_its_files(store, proxy, big, tmp_path):
    """The client asks again and hears that there is one: its own, which it must not take for another's."""
    proxy.harm(Harm.ANSWER_LOST, is_manifest, times=1)

    made, ours = commit(store, big.parent)

    assert ours
    cache = Cache(store, "team")
    assert cache.find(KEY, UPSTREAM) == made
    cache.load(KEY, made, tmp_path / "copy")


def test_a_replacement_whose_answer_is_lost_stands_with_all_its_files(store, proxy, big):
    store.put(f"team/cache/{KEY}/manifest.json", b"not JSON")
    proxy.harm(Harm.ANSWER_LOST, lambda request: is_manifest(request) and "If-Match" in request.headers, times=1)

    made, ours = commit(store, big.parent)

    assert ours
    assert Cache(store, "team").find(KEY, UPSTREAM) == made


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
@pytest.mark.parametrize("harm", [Harm.CONDITION_IGNORED, Harm.NOT_IMPLEMENTED])
def test_a_service_without_conditional_writes_is_refused_before_anything_starts(place, proxy, header, harm):
    proxy.harm(harm, conditional(header))
    spec = place.spec(store={"s3": place.bucket.location("store") | {"endpoint": proxy.endpoint}})

    with pytest.raises(FineTuneError, match=r"conditional writes|ignores") as caught:
        prepare(place.job(spec), Outcome(kind="prepare"))

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path.startswith("spec.store.s3")
    assert "AWS S3, MinIO" in caught.value.remedy
    assert place.bucket.object_keys("store/") == []


def test_a_copy_that_takes_the_service_too_long_is_left_to_who_asked_for_it(place, proxy, monkeypatch):
    """Another way to make it is to move the bytes."""
    monkeypatch.setattr("finetune_runner.store.s3_client.ATTEMPTS", 1)
    monkeypatch.setattr("finetune_runner.store.s3_client.READ_SECONDS", 0.5)
    location = place.bucket.location("kept") | {"endpoint": proxy.endpoint}
    store = open_s3(S3Location(**location), place.layout, "spec.store.s3")
    store.put("big", b"big")
    proxy.harm(Harm.SLOW, lambda request: "x-amz-copy-source" in request.headers)
    assert not store.copy_from(store, store.head("big"), "copy", sha256(b"big").hexdigest())


@pytest.mark.parametrize(
    ("harm", "said", "field"), [(Harm.ARCHIVED, "is archived", "uri"), (Harm.OTHER_REGION, "another region", "region")]
)
def test_what_no_waiting_mends_is_told_at_once(store, proxy, harm, said, field):
    store.put("old", b"x")
    patient = PatientStore(store)
    info = patient.head("old")
    proxy.harm(harm, lambda request: True)
    with pytest.raises(FineTuneError, match=said) as caught:
        patient.read(info, 1)
    assert (caught.value.reason, caught.value.path) == (Reason.INVALID_SPEC, f"spec.store.s3.{field}")


def test_an_outage_costs_as_long_as_it_lasts(store, proxy, big, monkeypatch):
    monkeypatch.setattr("finetune_runner.store.patience.PAUSE_SECONDS", 0.05)
    patient = PatientStore(store)
    patient.check()
    proxy.harm(Harm.UNAVAILABLE, is_part(), times=7)  # the client gives up on three parts, each tried twice

    _, ours = commit(patient, big.parent)

    assert ours
    assert Cache(store, "team").find(KEY, UPSTREAM)
    assert len([request for request in proxy.seen if is_part(1)(request)]) > 2


WAITS_SHORTLY = """
import sys
from finetune_runner.__main__ import main
from finetune_runner.store import outages, patience, s3_client
outages.TOLD_AFTER_SECONDS, patience.PAUSE_SECONDS, s3_client.ATTEMPTS = 0, 0.1, 1
sys.exit(main(sys.argv[1:]))
"""


def test_prepare_tells_what_it_waits_for_and_ends_well_once_that_is_back(place, proxy):
    """Of the store, which has answered by then."""
    away = proxy.harm(Harm.UNAVAILABLE, lambda request: request.path.endswith("/prepared.json"))
    place.write_job(place.spec(store={"s3": place.bucket.location("store") | {"endpoint": proxy.endpoint}}))
    port = free_port()
    command = [sys.executable, "-c", WAITS_SHORTLY, "prepare", "--root", str(place.root), "--progress-port", str(port)]
    with running(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        told = until(lambda: said(port, "progress"), "what it waits for")
        away.times = 0
        assert process.wait(60) == 0, process.stderr.read()

    assert told["pass"] == ""
    assert "spec.store.s3" in told["outage"]["message"]


def test_a_stage_tells_what_it_waits_for_before_its_first_pass(place, proxy):
    prepared(place, place.spec(store={"s3": place.bucket.location("store") | {"endpoint": proxy.endpoint}}))
    proxy.harm(Harm.UNAVAILABLE, lambda request: request.path.endswith("/prepared.json"))
    port = free_port()
    command = [sys.executable, "-c", WAITS_SHORTLY, "stage", "0", "--root", place.root, "--progress-port", str(port)]
    with running(command, env=environment(), stderr=subprocess.DEVNULL):
        told = until(lambda: said(port, "progress"), "what it waits for")

    assert told["pass"] == ""
    assert "spec.store.s3" in told["outage"]["message"]


def test_an_outage_has_an_end(store, proxy, monkeypatch):
    monkeypatch.setattr("finetune_runner.store.patience.OUTAGE_SECONDS", 0)
    patient = PatientStore(store)
    patient.check()
    proxy.harm(Harm.UNAVAILABLE, lambda request: True)
    with pytest.raises(FineTuneError) as caught:
        patient.get("anything")
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


def test_a_store_that_has_never_answered_is_not_waited_for(store, proxy):
    proxy.harm(Harm.UNAVAILABLE, lambda request: True)
    with pytest.raises(FineTuneError) as caught:
        PatientStore(store).check()
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


@pytest.mark.parametrize("again", [True, False])
def test_a_store_that_has_answered_an_earlier_prepare_is_waited_for_from_the_first_request(
    place, proxy, monkeypatch, again
):
    monkeypatch.setattr("finetune_runner.store.s3_client.ATTEMPTS", 1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    place.write_job(place.spec(store={"s3": place.bucket.location("kept") | {"endpoint": proxy.endpoint}}))
    if again:
        monkeypatch.setenv("FINETUNE_AGAIN", "1")
    job = job_for(parser().parse_args(["prepare"]), place.layout)
    proxy.harm(Harm.UNAVAILABLE, lambda request: True, times=1)
    if again:
        job.store.check()
    else:
        with pytest.raises(FineTuneError, match="ServiceUnavailable"):
            job.store.check()
