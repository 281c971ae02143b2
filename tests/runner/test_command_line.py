"""The program starts fast, and ends with a last word whatever happens."""

import json
import subprocess
import sys

import pytest

from command_line import finetune
from finetune_api.failures import Reason
from finetune_api.messages import TerminationMessage
from word_tokenizer import write_tokenizer

__all__ = ["finetune"]


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "finetune_runner", *arguments], capture_output=True, text=True, check=False
    )


def last_word(root):
    return TerminationMessage.decode((root / "dev/termination-log").read_text())


@pytest.mark.parametrize("command", [["--help"], ["prepare", "--help"], ["stage", "--help"]])
def test_help_is_given(command):
    assert "usage: finetune-runner" in run(*command).stdout


def test_preparing_imports_no_torch():
    code = "import sys, finetune_runner.prepare; print(sorted({'torch', 'transformers', 'boto3'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_stages_modules_import_no_torch():
    code = "import sys, finetune_runner.stage; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_previewing_data_imports_no_torch(tmp_path):
    write_tokenizer(tmp_path, "llama")
    source = {"configMap": {"name": "x", "key": "x"}}
    config = {"name": "x", "source": source, "preprocess": {"textTemplate": "{q}\n{a}"}}
    rows = [{"q": "a", "a": "b"}, {"q": "c d e f", "a": "b"}]
    code = (
        "import sys; from pathlib import Path\n"
        "from finetune_api.resource.data import DataConfig\n"
        "from finetune_runner.data.file_tokenizer import FileTokenizer\n"
        "from finetune_runner.data.preview import preview_data\n"
        "from finetune_runner.passes.contract import DataSet\n"
        f"data = DataSet(DataConfig.model_validate({config!r}), {rows!r})\n"
        f"assert preview_data(data, FileTokenizer(Path({str(tmp_path)!r})), 2).samples\n"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_a_job_document_the_last_word_says_so(tmp_path):
    assert run("prepare", "--root", str(tmp_path)).returncode == 10
    assert last_word(tmp_path).failure.reason is Reason.INVALID_SPEC
    assert "is not a job document" in last_word(tmp_path).failure.log.splitlines()[-1]


def test_a_misspelt_field_is_told_with_its_place(tmp_path):
    document = {"namespace": "n", "name": "j", "uid": "u", "spec": {"inputModle": {}}}
    (tmp_path / "job.json").write_text(json.dumps(document))

    ended = run("prepare", "--root", str(tmp_path), "--job", str(tmp_path / "job.json"), "--log-format", "json")

    assert ended.returncode == 10
    assert last_word(tmp_path).failure.path.startswith("spec.")
    assert json.loads(ended.stderr.splitlines()[-1])["level"] == "error"


def test_a_cluster_that_can_not_be_asked_is_told(finetune, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    ended = finetune("describe", "tone")
    assert (ended.code, "the cluster can't be asked" in ended.err) == (1, True), ended.err
