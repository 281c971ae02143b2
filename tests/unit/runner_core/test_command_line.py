"""The program starts fast, and ends with a last word whatever happens."""

import json
import subprocess
import sys

import pytest

from finetune_api.failures import Reason
from finetune_api.messages import TerminationMessage


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


def test_without_a_job_document_the_last_word_says_so(tmp_path):
    assert run("prepare", "--root", str(tmp_path)).returncode == 10
    assert last_word(tmp_path).failure.reason is Reason.INVALID_SPEC


def test_a_misspelt_field_is_told_with_its_place(tmp_path):
    document = {"namespace": "n", "name": "j", "uid": "u", "spec": {"inputModle": {}}}
    (tmp_path / "job.json").write_text(json.dumps(document))

    ended = run("prepare", "--root", str(tmp_path), "--job", str(tmp_path / "job.json"), "--log-format", "json")

    assert ended.returncode == 10
    assert last_word(tmp_path).failure.path.startswith("spec.")
    assert json.loads(ended.stderr.splitlines()[-1])["level"] == "error"
