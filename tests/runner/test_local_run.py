"""finetune run: the whole chain on this machine, with a tiny model of random weights."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file, save_file

from command_line import finetune, run_process
from finetune_api import API_VERSION, KIND
from finetune_api.failures import EXIT_CODES, SIGTERM_EXIT, Reason
from processes import running
from runner_place import TEMPLATE, TONES, jsonl

__all__ = ["finetune"]

HEAVY = ("torch", "transformers", "numpy", "boto3", "huggingface_hub", "tokenizers", "jinja2", "onnxruntime_genai")
CHAIN = [
    {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 2}}},
    {"name": "merge", "mergeAdapterWeights": {}},
    {"name": "int4", "modelBuilder": {"algorithm": "rtn"}},
    {"name": "check", "evaluate": {"evaluator": "tone-loss", "data": "tones"}},
]


def manifest(**parts):
    spec = {
        "inputModel": {"source": {"volume": {"claimName": "models", "path": "phi3"}}},
        "dataConfigs": [
            {
                "name": "tones",
                "source": {"volume": {"claimName": "data", "path": "tones.jsonl"}},
                "preprocess": {"textTemplate": TEMPLATE},
            }
        ],
        "systems": [{"name": "cpu"}],
        "passes": CHAIN,
        "evaluators": [{"name": "tone-loss", "metrics": [{"name": "loss", "loss": {}}]}],
    } | parts
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "tone"}, "spec": spec}


class Desk:
    """A folder with a manifest, a model and rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "data").mkdir()
        (folder / "data" / "tones.jsonl").write_text(jsonl(TONES))
        (folder / "models").mkdir()

    def write(self, **parts) -> list[str]:
        """The manifest; gives the command that runs it."""
        file = self.folder / "job.yaml"
        file.write_text(yaml.safe_dump(manifest(**parts)))
        mounts = [f"--mount={name}={self.folder / name}" for name in ("data", "models")]
        return ["run", str(file), f"--folder={self.folder / 'here'}", *mounts]

    @property
    def output(self) -> Path:
        return self.folder / "here" / "output" / "tone"


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_phi3):
    """A desk on which the chain has run, and how it ended."""
    desk = Desk(tmp_path_factory.mktemp("finished"))
    shutil.copytree(tiny_phi3, desk.folder / "models" / "phi3")
    return desk, run_process(*desk.write())


def test_the_chain_ends_with_an_artifact_and_a_report_in_the_folder(finished):
    desk, ended = finished
    assert ended.code == 0, ended.err
    assert (desk.output / "model.onnx").is_file()
    assert json.loads((desk.output / "manifest.json").read_text())["digest"] in ended.out
    assert str(desk.output) in ended.out
    report = json.loads(Path(ended.out.splitlines()[-1].removeprefix("report").strip()).read_text())
    assert [step["name"] for step in report["passes"] if step["digest"]] == ["tune", "merge", "int4", "check"]
    assert "loss" in report["passes"][3]["metrics"]


def test_it_tells_how_far_it_is(finished):
    assert "stage 0 on cpu: tune, merge, int4, check" in finished[1].err


def test_nothing_but_store_output_and_logs_is_left(finished):
    desk, _ = finished
    left = {entry.name for entry in (desk.folder / "here").iterdir() if any(entry.iterdir())}
    assert left == {"store", "output", "logs"}


def test_a_cached_run_starts_no_stage_and_imports_nothing_heavy(finished):
    """That is why it ends within two seconds; `make bench-cli` measures them."""
    desk, _ = finished
    program = (
        "import sys\nfrom finetune_cli.__main__ import main\n"
        f"code = main({desk.write()!r})\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ended.stdout.splitlines()[-1] == "0 []", ended.stderr
    assert ended.stdout.count("reused") == 4
    assert "stage" not in ended.stderr


def test_a_gate_is_judged_by_what_is_cached_and_a_missed_one_ends_the_run(finished):
    desk, _ = finished
    gate = {"metric": "loss", "after": "int4"}

    ended = run_process(*desk.write(gates=[{**gate, "max": "50"}]))

    assert ended.code == 0, ended.err
    [line] = [line for line in ended.out.splitlines() if line.startswith("gate ")]
    assert "loss after int4: " in line
    assert line.endswith("(at most 50) passed")

    ended = run_process(*desk.write(gates=[{**gate, "max": "0"}]))

    assert ended.code == EXIT_CODES[Reason.GATE_FAILED]
    assert "spec.gates[0]: loss after int4 is " in ended.err
    assert "stage 0" not in ended.err


def test_a_changed_pass_is_made_anew_and_its_artifact_replaces_the_older(finished):
    desk, _ = finished
    older = (desk.output / "manifest.json").read_text()
    ended = run_process(*desk.write(passes=[*CHAIN[:2], {"name": "int4", "modelBuilder": {"precision": "fp32"}}]))
    assert ended.code == 0, ended.err
    assert [line.split()[2] for line in ended.out.splitlines()[:3]] == ["reused", "reused", "made"]
    assert (desk.output / "manifest.json").read_text() != older


def test_with_the_cache_off_every_pass_is_made_anew(finished):
    desk, _ = finished
    command = desk.write(passes=CHAIN[:1], engine={"cache": False, "logLevel": "error"})
    ended = run_process(*command)
    assert ended.code == 0, ended.err
    assert ended.out.split()[:3] == ["tune", "lora", "made"]
    newest = max((desk.folder / "here" / "logs").iterdir(), key=lambda file: file.stat().st_mtime)
    assert " INFO " not in newest.read_text()


def test_the_engines_target_is_what_an_export_is_made_for(finished):
    desk, _ = finished
    int4 = {"name": "int4", "modelBuilder": {"algorithm": "rtn"}}
    ended = run_process(*desk.write(passes=[int4], engine={"target": {"executionProvider": "DmlExecutionProvider"}}))
    assert ended.code == 0, ended.err
    decoder = json.loads((desk.output / "genai_config.json").read_text())["model"]["decoder"]
    assert [list(options) for options in decoder["session_options"]["provider_options"]] == [["dml"]]


def test_a_claim_without_a_folder_is_asked_for(finetune, desk):
    ended = finetune(*desk.write()[:3])
    assert ended.code == EXIT_CODES[Reason.INVALID_SPEC]
    assert "spec.inputModel.source.volume.claimName" in ended.err
    assert "--mount models=FOLDER" in ended.err


def test_a_secret_that_nobody_knows_is_asked_for(finetune, desk, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    source = {"s3": {"uri": "s3://models/phi3", "credentialsSecretRef": {"name": "s3"}}}
    ended = finetune(*desk.write(inputModel={"source": source}))
    assert ended.code == EXIT_CODES[Reason.AUTH_DENIED]
    assert "--secret s3=FOLDER" in ended.err
    assert "AWS_ACCESS_KEY_ID" in ended.err
    assert not list((desk.folder / "here" / "run").iterdir())


def test_a_wrong_dataset_fails_with_its_reason_and_place(finetune, desk, tiny_phi3):
    shutil.copytree(tiny_phi3, desk.folder / "models" / "phi3")
    (desk.folder / "data" / "tones.jsonl").write_text('{"phrase": "no tone"}\n')
    ended = finetune(*desk.write())
    assert ended.code == EXIT_CODES[Reason.DATASET_INVALID]
    assert "spec.dataConfigs[0].preprocess.textTemplate: line 1 of tones.jsonl: no column 'tone'" in ended.err


def test_a_failing_pass_says_why_and_where_its_log_is(finetune, desk, tiny_phi3):
    model = shutil.copytree(tiny_phi3, desk.folder / "models" / "phi3")
    weights = load_file(model / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    ended = finetune(*desk.write(passes=CHAIN[:1]))
    assert ended.code == EXIT_CODES[Reason.NAN_LOSS]
    assert "spec.passes[0].lora.training: the loss became nan at step 1" in ended.err
    assert str(desk.folder / "here" / "logs") in ended.err
    assert not ended.is_bug


def test_layers_that_the_model_lacks_are_told_before_a_pass_begins(finetune, desk, tiny_phi3):
    shutil.copytree(tiny_phi3, desk.folder / "models" / "phi3")
    tune = {"name": "tune", "lora": {"targetModules": ["nowhere"], "trainData": "tones", "training": {"maxSteps": 1}}}
    ended = finetune(*desk.write(passes=[tune]))
    assert ended.code == EXIT_CODES[Reason.INVALID_SPEC]
    assert "spec.passes[0].lora.targetModules[0]: no linear layer of the model is named 'nowhere'" in ended.err
    assert "stage 0" not in ended.err


def test_an_accelerator_is_missed_unless_told_to_do_without(finetune, desk, tiny_phi3):
    shutil.copytree(tiny_phi3, desk.folder / "models" / "phi3")
    command = desk.write(systems=[{"name": "gpu", "accelerator": {"count": 16}}], passes=CHAIN[:1])
    assert finetune(*command).code == EXIT_CODES[Reason.ACCELERATOR_UNAVAILABLE]
    assert finetune(*command, "--no-accelerator").code == 0


def test_asked_to_stop_it_takes_its_stage_along_and_says_how_to_go_on(desk, tiny_phi3):
    shutil.copytree(tiny_phi3, desk.folder / "models" / "phi3")
    tune = {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 100000}}}
    command = [sys.executable, "-m", "finetune_cli", *desk.write(passes=[tune])]
    with running(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:
            if "tune: 0 %" in line:
                break
        [child] = _children(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == SIGTERM_EXIT
        assert "the same command goes on from what is committed" in process.stderr.read()
    assert not _alive(child)


def test_interrupted_by_its_terminal_it_goes_on_where_it_was(desk, tiny_phi3):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    shutil.copytree(tiny_phi3, desk.folder / "models" / "phi3")
    training = {"maxSteps": 100000, "loggingSteps": 1}
    tune = {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": training}}
    command = [sys.executable, "-m", "finetune_cli", *desk.write(passes=[tune])]
    with running(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        _wait_for_a_step(process, desk.folder / "here" / "logs")
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to the stage as well
        assert process.wait(60) == 130

    with running(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        line = next(line for line in process.stderr if "resumed from step" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == SIGTERM_EXIT
    assert int(line.partition("resumed from step ")[2].split(",")[0]) >= 3


def _wait_for_a_step(process: subprocess.Popen, logs: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if any("step 3 of" in file.read_text() for file in logs.glob("*.log")):
            return
        time.sleep(0.1)
    pytest.fail(f"no pass has moved; exit code {process.poll()}")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
