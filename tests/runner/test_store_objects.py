"""What both stores promise: a bucket on a real S3 server, and a folder of a volume."""

import subprocess

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import S3Location, VolumeLocation
from finetune_runner.store.digests import file_sha256
from finetune_runner.store.opening import open_s3, open_volume
from s3_server import ACCESS_KEY, running
from stores import in_parallel, open_store


@pytest.fixture(params=["s3", "volume"])
def store(place, request):
    return open_store(place, request.param)


@pytest.fixture
def s3_store(place):
    return open_store(place, "s3")


def open_with(place, **parts):
    return open_s3(S3Location(**(place.bucket.location("kept") | parts)), place.layout, "spec.store.s3")


def refusal(store) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        store.get("anything")
    return caught.value


def test_an_object_is_read_as_it_was_written(store, tmp_path):
    store.put("a/b", b"one")
    (tmp_path / "file").write_bytes(b"two")
    store.upload(tmp_path / "file", "a/c")

    assert store.get("a/b").data == b"one"
    assert store.get("a/c").data == b"two"
    assert store.head("a/c").size == 3


def test_what_is_not_there_is_none(store):
    assert store.get("nothing") is None
    assert store.head("nothing") is None
    assert list(store.list("nothing/")) == []


def test_deleting_what_is_not_there_does_nothing(store):
    store.delete("nothing")
    assert store.get("nothing") is None


def test_listing_is_in_order_and_keeps_to_the_prefix(store):
    for key in ("b/2", "b/1", "c/1", "bb/1"):
        store.put(key, b"x")
    assert [info.key for info in store.list("b/")] == ["b/1", "b/2"]
    assert [info.key for info in store.list("b")] == ["b/1", "b/2", "bb/1"]


def test_of_many_writers_at_once_one_creates_the_object(store):
    results = in_parallel(lambda number: store.put_if_absent("key", f"{number}".encode()), 8)

    assert results.count(True) == 1
    assert store.get("key").data == str(results.index(True)).encode()


def test_an_object_is_replaced_only_while_it_is_the_one_that_was_read(store):
    store.put("key", b"one")
    read = store.get("key")

    assert store.put_if_match("key", b"two", read.etag)
    assert not store.put_if_match("key", b"three", read.etag)
    assert store.get("key").data == b"two"


def test_what_is_gone_is_not_replaced(store):
    store.put("key", b"one")
    etag = store.get("key").etag
    store.delete("key")
    assert not store.put_if_match("key", b"two", etag)


def test_a_download_is_of_the_version_that_was_seen(store, tmp_path):
    store.put("key", b"first")
    seen = store.head("key")
    assert store.download(seen, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"first"

    store.put("key", b"other")
    assert not store.download(seen, tmp_path / "again")


def test_a_download_of_what_is_gone_is_refused(store, tmp_path):
    store.put("key", b"first")
    seen = store.head("key")
    store.delete("key")
    assert not store.download(seen, tmp_path / "copy")


def test_a_file_of_several_parts_arrives_whole(s3_store, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune_runner.store.s3.PART_BYTES", 5 * 1024**2)
    (tmp_path / "big").write_bytes(bytes(range(256)) * 50_000)

    s3_store.upload(tmp_path / "big", "big")

    assert s3_store.download(s3_store.head("big"), tmp_path / "copy")
    assert file_sha256(tmp_path / "copy") == file_sha256(tmp_path / "big")
    assert "-" in s3_store.head("big").etag  # the mark of a multipart upload


def test_a_copy_within_the_service_is_proven_by_its_digest(s3_store, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    s3_store.upload(tmp_path / "file", "from")

    assert s3_store.copy_from(s3_store, s3_store.head("from"), "to", file_sha256(tmp_path / "file"))
    assert s3_store.get("to").data == b"content"


def test_a_copy_with_another_digest_does_not_count(s3_store):
    s3_store.put("from", b"content")
    assert not s3_store.copy_from(s3_store, s3_store.head("from"), "to", "0" * 64)


def test_a_wrong_secret_key_is_named_with_its_secret(place):
    place.secret("wrong", AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY="wrong")
    error = refusal(open_with(place, credentialsSecretRef={"name": "wrong"}))

    assert error.reason is Reason.AUTH_DENIED
    assert error.path == "spec.store.s3.credentialsSecretRef"
    assert "'wrong'" in error.message
    assert "secret access key is wrong" in error.message


def test_an_unknown_access_key_is_denied_however_the_service_says_so(place):
    place.secret("unknown", AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="x")
    store = open_with(place, credentialsSecretRef={"name": "unknown"})

    assert refusal(store).reason is Reason.AUTH_DENIED
    with pytest.raises(FineTuneError, match="access key is unknown"):  # HEAD alone would say: not found
        store.head("anything")


def test_a_missing_secret_is_named(place):
    with pytest.raises(FineTuneError, match="there is no secret 'absent'") as caught:
        open_with(place, credentialsSecretRef={"name": "absent"})
    assert caught.value.reason is Reason.AUTH_DENIED
    assert caught.value.path == "spec.store.s3.credentialsSecretRef"
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in caught.value.remedy


def test_a_missing_key_of_a_secret_is_named(place):
    place.secret("half", AWS_ACCESS_KEY_ID=ACCESS_KEY)
    with pytest.raises(FineTuneError, match="secret 'half' has no key 'AWS_SECRET_ACCESS_KEY'"):
        open_with(place, credentialsSecretRef={"name": "half"})


def test_a_missing_bucket_is_the_specs_fault(place):
    error = refusal(open_with(place, uri="s3://no-such-bucket/x"))

    assert error.reason is Reason.INVALID_SPEC
    assert error.message == "bucket 'no-such-bucket' does not exist"
    assert error.path == "spec.store.s3.uri"


def test_an_unreachable_service_is_worth_a_retry(place, monkeypatch):
    monkeypatch.setattr("finetune_runner.store.s3_client.ATTEMPTS", 1)
    error = refusal(open_with(place, endpoint="http://127.0.0.1:9"))

    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.path == "spec.store.s3"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A server with a certificate that nobody knows, and that certificate (PEM)."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *files]
    subprocess.run(make, check=True, capture_output=True)
    with running(folder, f"--cert={certificate}", f"--key={key}", scheme="https") as server:
        (server.folder / "private").mkdir()
        yield server.endpoint, certificate.read_text()


def test_a_certificate_is_trusted_when_the_location_brings_it(place, encrypted):
    endpoint, certificate = encrypted
    store = open_with(place, uri="s3://private/kept", endpoint=endpoint, caBundle=certificate)
    store.put("key", b"one")
    assert store.get("key").data == b"one"


def test_a_certificate_that_nobody_knows_is_not_trusted(place, encrypted, monkeypatch):
    monkeypatch.setattr("finetune_runner.store.s3_client.ATTEMPTS", 1)
    error = refusal(open_with(place, uri="s3://private/kept", endpoint=encrypted[0]))
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert "caBundle" in error.remedy


def test_a_file_of_a_volume_that_is_deleted_while_it_is_listed_is_skipped(place):
    store = open_store(place, "volume")
    for key in ("a/lease.json", "b/manifest.json"):
        store.put(key, b"{}")
    listing = store.list("")

    store.delete("a/lease.json")

    assert [info.key for info in listing] == ["b/manifest.json"]


def test_a_file_of_a_volume_that_is_deleted_while_it_is_opened_is_gone(place, monkeypatch, tmp_path):
    store = open_store(place, "volume")
    store.put("a", b"{}")
    info = store.head("a")
    store.delete("a")
    monkeypatch.setattr(store, "head", lambda _: info)  # what it was a moment ago

    assert store.read(info, 1) is None
    assert not store.download(info, tmp_path / "copy")


def test_an_unmounted_volume_is_the_specs_fault(place):
    store = open_volume(VolumeLocation(claim_name="gone"), place.layout, "spec.store.volume")
    with pytest.raises(FineTuneError, match="'gone' is not mounted") as caught:
        store.check()
    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path == "spec.store.volume.claimName"
