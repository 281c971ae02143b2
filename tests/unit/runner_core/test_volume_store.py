"""A store on a volume: what its file system can't do is told, and what is written lasts."""

import errno
import os
from pathlib import Path

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.volume import VolumeStore

PLACE = "spec.store.volume"


@pytest.fixture
def store(tmp_path: Path) -> VolumeStore:
    (tmp_path / "mount").mkdir()
    return VolumeStore(mount=tmp_path / "mount", folder="store", claim="artifacts", path=PLACE)


def unable(number: int):
    def call(*_):
        raise OSError(number, os.strerror(number))

    return call


def refused(call, *arguments) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM])
def test_a_file_system_without_hard_links_is_the_specs_fault(store, monkeypatch, number):
    """As SMB shares and buckets that are mounted."""
    monkeypatch.setattr("os.link", unable(number))
    error = refused(store.put_if_absent, "key", b"x")
    assert (error.reason, error.path) == (Reason.INVALID_SPEC, PLACE)
    assert "hard links" in error.message
    assert "NFS" in error.remedy


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_the_specs_fault(store, monkeypatch, number):
    store.put("key", b"x")
    monkeypatch.setattr("fcntl.flock", unable(number))
    error = refused(store.put_if_match, "key", b"y", store.get("key").etag)
    assert (error.reason, error.path) == (Reason.INVALID_SPEC, PLACE)
    assert "locks" in error.message


def test_a_scratch_space_that_is_full_is_not_taken_for_the_volume(store):
    store.put("key", b"x")
    with pytest.raises(OSError, match="No space left") as caught:
        store.download(store.head("key"), Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("write", ["put", "put_if_absent", "upload", "put_if_match"])
def test_what_is_written_is_on_the_disk_before_it_has_its_name_and_the_name_before_it_counts(
    store, tmp_path, monkeypatch, write
):
    (tmp_path / "source").write_bytes(b"new")
    target = store.root / "a" / "key"
    calls = {
        "put": lambda: store.put("a/key", b"new"),
        "put_if_absent": lambda: store.put_if_absent("a/key", b"new"),
        "upload": lambda: store.upload(tmp_path / "source", "a/key"),
        "put_if_match": lambda: store.put_if_match("a/key", b"new", store.get("a/key").etag),
    }
    if write == "put_if_match":
        store.put("a/key", b"old")
    synced = []

    def fsync(number: int) -> None:
        name = Path(f"/proc/self/fd/{number}").readlink()
        has_its_name = target.exists() and target.read_bytes() == b"new"
        synced.append(("folder" if name.is_dir() else name.read_bytes(), has_its_name))

    monkeypatch.setattr("os.fsync", fsync)
    calls[write]()
    assert synced == [(b"new", False), ("folder", True)]
