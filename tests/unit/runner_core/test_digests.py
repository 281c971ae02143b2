"""Digests are those that sha256sum writes."""

import base64
import hashlib
import subprocess

from finetune_runner.store.digests import directory_digest, file_sha256, short
from finetune_runner.store.manifest import files_of


def test_a_directorys_digest_is_that_of_sha256sums_sorted_lines(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "deep/b").write_bytes(b"two")

    lines = subprocess.run(["sha256sum", "a", "deep/b"], cwd=tmp_path, capture_output=True, check=True).stdout
    expected = hashlib.sha256(b"".join(sorted(lines.splitlines(keepends=True)))).hexdigest()

    assert directory_digest((file.path, file.sha256) for file in files_of(tmp_path)) == expected


def test_the_short_form_is_the_same_digest_in_43_characters(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    digest = file_sha256(tmp_path / "a")
    assert len(short(digest)) == 43
    assert base64.urlsafe_b64decode(short(digest) + "=").hex() == digest
