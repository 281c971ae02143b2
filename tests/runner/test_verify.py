"""finetune verify: a damaged artifact is named, in a bucket as in a folder."""

import pytest

from command_line import finetune, run_process
from finetune_api.failures import EXIT_CODES, Reason
from published import change_digest, edit_manifest, flip_bit, publish_here
from s3_server import ACCESS_KEY, SECRET_KEY

__all__ = ["finetune"]

CORRUPT = EXIT_CODES[Reason.ARTIFACT_CORRUPT]


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "artifact"
    (folder / "deep").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "deep" / "model.onnx.data").write_bytes(bytes(range(200)))
    publish_here(folder)
    (folder / "report.json").write_text("{}")
    (folder / "README.md").write_text("# tone")
    return folder


@pytest.fixture(params=["folder", "bucket"])
def verify(request, artifact, finetune, monkeypatch):
    """Verifies the artifact where it lies, or after it was copied to a bucket."""
    if request.param == "folder":
        return lambda: finetune("verify", artifact)
    bucket = request.getfixturevalue("bucket")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.server.endpoint)

    def from_bucket():
        bucket.upload(artifact, "out")
        return finetune("verify", f"s3://{bucket.name}/out")

    return from_bucket


def test_a_whole_one_is_what_was_published(verify):
    ended = verify()

    assert (ended.code, ended.err) == (0, "")
    assert "is what was published: 2 files, 205 bytes, sha256:" in ended.out


def test_a_flipped_bit_is_named(verify, artifact):
    flip_bit(artifact / "deep" / "model.onnx.data")

    ended = verify()

    assert ended.code == CORRUPT
    assert "deep/model.onnx.data: its sha256 is " in ended.err
    assert "model.onnx: " not in ended.err.replace("deep/model.onnx.data", "")
    assert "ArtifactCorrupt: " in ended.err


def test_a_missing_file_and_a_shorter_one_are_both_named(verify, artifact):
    (artifact / "model.onnx").unlink()
    (artifact / "deep" / "model.onnx.data").write_bytes(b"short")

    ended = verify()

    assert ended.code == CORRUPT
    assert "model.onnx: is missing\n" in ended.err
    assert "deep/model.onnx.data: has 5 bytes instead of 200\n" in ended.err


def test_a_changed_digest_is_named(verify, artifact):
    change_digest(artifact)

    ended = verify()

    assert ended.code == CORRUPT
    assert "manifest.json: its digest or its size is not that of the files it names" in ended.err


def test_a_changed_size_in_the_manifest_is_named(verify, artifact):
    edit_manifest(artifact, lambda manifest: manifest.update(sizeBytes=1))

    ended = verify()

    assert ended.code == CORRUPT
    assert "manifest.json: its digest or its size" in ended.err


def test_a_name_that_leads_out_of_the_folder_is_no_file_of_it(verify, artifact):
    edit_manifest(artifact, lambda manifest: manifest["files"][0].update(path="../artifact/model.onnx"))

    ended = verify()

    assert ended.code == CORRUPT
    assert "../artifact/model.onnx: is missing" in ended.err


def test_a_file_that_is_not_of_the_artifact_is_noted(verify, artifact):
    (artifact / "notes.txt").write_text("mine")

    ended = verify()

    assert ended.code == 0
    assert ended.err == "note: notes.txt: is not in the manifest\n"


def test_without_a_manifest_there_is_no_artifact(verify, artifact):
    (artifact / "manifest.json").write_text('{"somebody": "else"}')

    ended = verify()

    assert ended.code == CORRUPT
    assert "manifest.json is no manifest of ours" in ended.err


def test_where_nothing_is_published_it_says_so(finetune, tmp_path):
    ended = finetune("verify", tmp_path)

    assert ended.code == CORRUPT
    assert f"there is no {tmp_path}/manifest.json" in ended.err


def test_credentials_that_are_refused_are_told_with_what_to_set(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    ended = run_process("verify", f"s3://{bucket.name}/out", "--endpoint", bucket.server.endpoint)

    assert ended.code == EXIT_CODES[Reason.AUTH_DENIED]
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in ended.err


@pytest.mark.parametrize("location", ["s3://UPPER/x", "nowhere"])
def test_what_is_no_location_is_misuse(finetune, location):
    ended = finetune("verify", location)

    assert ended.code == 2
    assert location in ended.err
