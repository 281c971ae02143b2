"""What of a volume is read: all of it, or the job is told what can't be."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import VolumeLocation
from finetune_runner.layout import PodLayout
from finetune_runner.sources.folder import FolderSource, volume_source

STRANGER = 10001
PLACE = "spec.dataConfigs[0].source.volume"


@pytest.fixture
def pod() -> Iterator[PodLayout]:
    """A pod with a volume, where any user may look."""
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        layout = PodLayout.under(Path(root))
        folder = layout.volumes / "shared" / "rows"
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text("{}")
        yield layout


@pytest.fixture
def rows(pod: PodLayout) -> Path:
    return pod.volumes / "shared" / "rows"


def source(pod: PodLayout, path: str = "rows") -> FolderSource:
    return volume_source(VolumeLocation(claim_name="shared", path=path), kind="dataset", layout=pod, path=PLACE)


def pinned(pod: PodLayout, path: str = "rows") -> list[str]:
    return [file.path for file in source(pod, path).resolve(lambda name: name.endswith(".jsonl")).files]


def refused(call, *arguments) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        call(*arguments)
    return caught.value


@contextmanager
def as_another_user() -> Iterator[None]:
    """Root may read whatever there is."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(STRANGER)
    try:
        yield
    finally:
        os.seteuid(before)


def test_folders_that_are_links_within_the_volume_are_followed(pod, rows):
    (rows.parent / "other").mkdir()
    (rows.parent / "other" / "b.jsonl").write_text("{}")
    (rows / "more").symlink_to("../other")
    assert pinned(pod) == ["a.jsonl", "more/b.jsonl"]


def test_links_that_lead_back_up_are_gone_through_once(pod, rows):
    (rows / "deep").mkdir()
    (rows / "deep" / "up").symlink_to("..")
    assert pinned(pod) == ["a.jsonl"]


def test_a_folder_that_may_not_be_read_is_told_and_not_passed_over(pod, rows):
    (rows / "more").mkdir(mode=0o000)
    with as_another_user():
        error = refused(pinned, pod)
    assert (error.reason, error.path) == (Reason.AUTH_DENIED, PLACE)
    assert error.message == "volume://shared/rows can't be read: Permission denied at rows/more"
    assert "runs as user" in error.remedy


def test_what_a_file_system_keeps_for_itself_is_passed_over(pod, rows):
    (rows.parent / "lost+found").mkdir(mode=0o000)
    with as_another_user():
        assert pinned(pod, "") == ["rows/a.jsonl"]


def test_a_file_that_may_not_be_read_is_told(pod, rows):
    (rows / "b.jsonl").touch(mode=0o000)
    with as_another_user():
        error = refused(pinned, pod)
    assert error.reason is Reason.AUTH_DENIED
    assert "rows/b.jsonl" in error.message


def test_a_file_that_goes_away_meanwhile_has_changed(pod, rows, tmp_path, monkeypatch):
    there = source(pod)
    found = there.resolve(lambda _: True)
    listed = dict(there._found())
    monkeypatch.setattr(there, "_found", listed.items)
    (rows / "a.jsonl").unlink()
    assert "has changed" in refused(there.fetch, found, found.files, tmp_path).message
    assert "has changed" in refused(there.read, found, found.files[0], 1).message


def test_a_name_that_is_no_utf8_is_refused_where_it_is_wanted(pod, rows):
    Path(os.fsdecode(os.fsencode(rows) + b"/m\xfcller.txt")).touch()
    assert pinned(pod) == ["a.jsonl"]
    Path(os.fsdecode(os.fsencode(rows) + b"/m\xfcller.jsonl")).touch()
    error = refused(pinned, pod)
    assert (error.reason, error.path) == (Reason.DATASET_INVALID, PLACE)
    assert "is not UTF-8" in error.message
