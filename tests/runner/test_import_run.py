"""An Olive config of 2024, imported, runs: to an int4 model, and from a bucket that its files were uploaded to."""

import json
from pathlib import Path

import onnx
import pytest

from command_line import finetune, run_process
from olive_desk import MODEL, ROWS, make_olive_desk
from s3_server import ACCESS_KEY, SECRET_KEY

__all__ = ["finetune"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, tiny_phi3):
    """The example's config has been imported, and its job has run on this machine's CPU."""
    desk = make_olive_desk(tmp_path_factory.mktemp("olive"), tiny_phi3)
    imported = run_process("import", desk.config)
    assert imported.code == 0, imported.err
    job = desk.folder / "job.yaml"
    job.write_text(imported.out)
    command = ("run", job, "--folder", desk.folder / "here", "--mount", desk.mount, "--no-accelerator")
    return desk, run_process(*command)


def test_the_seeds_config_runs_to_an_int4_model(ran):
    desk, ended = ran
    assert ended.code == 0, ended.err
    graph = onnx.load(desk.folder / "here/output/olive-config/model.onnx", load_external_data=False)
    assert "MatMulNBits" in {node.op_type for node in graph.graph.node}


def test_it_was_trained_as_the_config_says(ran):
    _, ended = ran
    tune = _report(ended)["passes"][0]
    assert tune["kind"] == "qlora"  # a LoRA with double_quant
    assert (tune["metrics"]["rows"], tune["metrics"]["sequences"]) == ("24", "1")  # joined, a third held out
    assert float(tune["metrics"]["evalLoss"]) > 0  # by eval_steps beyond max_steps none would have been
    assert " of 10, loss" in ended.err


def test_without_an_accelerator_the_optimizer_is_one_that_computes_the_same(ran):
    _, ended = ran
    assert "optim: adamw_torch, which computes the same as paged_adamw_32bit" in ended.err


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
def desk(tmp_path, tiny_phi3):
    return make_olive_desk(tmp_path, tiny_phi3)


@pytest.mark.usefixtures("credentials")
def test_uploaded_files_are_what_the_manifest_reads(finetune, desk, bucket):
    upload = (f"--upload=s3://{bucket.name}/olive", f"--endpoint={bucket.server.endpoint}")
    imported = finetune("import", desk.config, *upload)
    assert imported.code == 0, imported.err
    assert bucket.get(f"olive/{ROWS}") == (desk.folder / ROWS).read_bytes()
    assert bucket.get(f"olive/{MODEL}/config.json") == (desk.folder / MODEL / "config.json").read_bytes()

    job = desk.folder / "job.yaml"
    job.write_text(imported.out)
    shown = finetune("preview", job)
    assert shown.code == 0, shown.err
    assert "phrase number 3 of many" in shown.out


@pytest.mark.usefixtures("credentials")
def test_with_a_key_that_is_not_carried_strict_uploads_nothing(finetune, desk, bucket):
    upload = (f"--upload=s3://{bucket.name}/olive", f"--endpoint={bucket.server.endpoint}")
    ended = finetune("import", desk.config, "--strict", *upload)
    assert (ended.code, ended.out) == (1, "")
    assert bucket.object_keys() == []


@pytest.mark.usefixtures("credentials")
def test_a_file_that_is_not_there_is_named_before_anything_is_uploaded(finetune, desk, bucket):
    (desk.folder / ROWS).unlink()
    upload = (f"--upload=s3://{bucket.name}/olive", f"--endpoint={bucket.server.endpoint}")
    ended = finetune("import", desk.config, *upload)
    assert (ended.code, ended.out, ended.is_bug) == (1, "", False)
    assert ROWS in ended.err
    assert bucket.object_keys() == []


@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_is_not_there_ends_with_a_sentence(finetune, desk, s3_server):
    ended = finetune("import", desk.config, "--upload=s3://no-such-bucket/a", f"--endpoint={s3_server.endpoint}")
    assert (ended.code, ended.out, ended.is_bug) == (1, "", False)
    assert "can't be uploaded to s3://no-such-bucket/a" in ended.err


def _report(ended):
    return json.loads(Path(ended.out.splitlines()[-1].removeprefix("report").strip()).read_text())
