"""A stage as a pod runs it: the real program, a tiny model of random weights, a real S3 server."""

import json
import logging
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from finetune_api.failures import EXIT_CODES, FineTuneError, Reason
from finetune_api.messages import Checkpoint
from finetune_runner.committed import find_committed
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from finished_passes import finish_passes
from processes import running
from runner_place import TONES, environment, jsonl

TUNE = {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 2}}}
MERGE = {"name": "merge", "mergeAdapterWeights": {}}
INT4 = {"name": "int4", "modelBuilder": {"algorithm": "rtn"}}
CHECK = {"name": "check", "evaluate": {"evaluator": "tone-loss", "data": "tones"}}
EVALUATORS = [{"name": "tone-loss", "metrics": [{"name": "loss", "loss": {}}]}]
STEPS_WITHOUT_END = 1_000_000


@pytest.fixture
def tiny(place, tiny_phi3):
    """The place, with a model that can be trained."""
    for key in place.bucket.object_keys("base/"):
        place.bucket.delete(key)
    place.bucket.upload(tiny_phi3, "base")
    return place


def prepared(place, *passes, **parts):
    """A job that has been prepared; returns its spec."""
    spec = place.spec(passes=list(passes), **parts)
    prepare(place.job(spec), Outcome(kind="prepare"))
    return spec


def run_in_process(place, spec, index=0):
    """What a stage ends with."""
    outcome = Outcome(kind="stage")
    run_stage(place.job(spec), index, outcome, ProgressState())
    return outcome


def failure_of(place, spec, index=0) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        run_in_process(place, spec, index)
    return caught.value


def test_the_whole_chain_in_one_pod_ends_with_a_published_artifact_and_its_figures(tiny):
    told = {"name": "tune", "lora": TUNE["lora"] | {"training": {"maxSteps": 2, "reportTo": ["tensorboard"]}}}
    prepared(tiny, told, MERGE, INT4, CHECK, evaluators=EVALUATORS)

    ended = tiny.run("stage", "0")

    assert ended.code == 0, ended.log
    assert [bool(step.digest) for step in ended.message.passes] == [True] * 4
    assert ended.message.published.uri == f"s3://{tiny.bucket.name}/out"
    assert ended.message.published.digest == ended.message.passes[2].digest
    assert {"out/manifest.json", "out/report.json", "out/model.onnx"} <= set(tiny.bucket.object_keys("out/"))
    report = json.loads(tiny.bucket.get("out/report.json"))
    assert float(report["passes"][3]["metrics"]["loss"]) > 0
    assert ended.message.headlines[0].index == 3
    [events] = [key for key in tiny.bucket.object_keys("store/") if "/tensorboard/tune/" in key]
    assert "/jobs/" in events

    again = tiny.run("stage", "0")

    assert again.code == 0, again.log
    assert again.message == ended.message
    assert again.log.count("committed already, reused") == 4


def test_without_the_accelerator_it_asks_for_a_stage_ends_before_it_downloads(place):
    prepared(place, TUNE, systems=[{"name": "gpu", "accelerator": {}}])

    ended = place.run("stage", "0")

    assert ended.code == EXIT_CODES[Reason.ACCELERATOR_UNAVAILABLE]
    assert ended.message.failure.reason is Reason.ACCELERATOR_UNAVAILABLE
    assert ended.message.failure.path == "spec.systems[0].accelerator"
    assert ended.message.failure.remedy
    assert not (place.layout.work / "base").exists()


def test_a_tracker_that_the_image_lacks_ends_a_stage_before_it_downloads(place):
    told = {"name": "tune", "lora": TUNE["lora"] | {"training": {"maxSteps": 2, "reportTo": ["wandb"]}}}
    env = [{"name": "WANDB_MODE", "value": "offline"}]
    spec = prepared(place, told, systems=[{"name": "cpu", "env": env}])

    failure = failure_of(place, spec)

    assert failure.reason is Reason.INVALID_SPEC
    assert failure.path == "spec.passes[0].lora.training.reportTo"
    assert not (place.layout.work / "base").exists()


def test_asked_to_stop_a_pass_keeps_a_checkpoint_that_the_next_pod_goes_on_from(tiny):
    endless = {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": STEPS_WITHOUT_END}}}
    prepared(tiny, endless)

    first, code = _stopped_while_running(tiny, signal.SIGTERM)

    assert first["pass"] == "tune"
    assert first["totalSteps"] == STEPS_WITHOUT_END
    assert "resumedFromStep" not in first
    assert code == EXIT_CODES[Reason.INTERRUPTED] == 143
    word = tiny.last_word()
    assert word.failure.reason is Reason.INTERRUPTED
    assert word.failure.index == 0
    assert word.passes[0].digest == ""
    [manifest] = [key for key in tiny.bucket.object_keys("store/") if _is_checkpoint(key) and "manifest" in key]
    kept = int(manifest.split("/")[-2].partition("-")[0])
    assert f"a checkpoint of step {kept} is kept" in word.failure.message
    assert word.checkpoint == Checkpoint(index=0, step=kept)

    second, code = _stopped_while_running(tiny, signal.SIGINT)

    assert second["resumedFromStep"] == kept >= first["step"]
    assert second["step"] > kept
    assert second["checkpointStep"] == kept
    assert code == 143
    assert tiny.last_word().checkpoint.step > kept


def test_asked_to_stop_while_it_loads_a_pod_says_that_there_is_no_checkpoint(tiny):
    prepared(tiny, TUNE)

    begun, code = _stopped_while_running(tiny, signal.SIGTERM, when=lambda progress: progress.get("pass") == "tune")

    assert begun.get("step", 0) == 0
    assert code == 143
    assert tiny.last_word().failure.reason is Reason.INTERRUPTED
    assert tiny.last_word().checkpoint is None


def test_checkpoints_are_gone_once_the_pass_is_committed(tiny, caplog):
    caplog.set_level(logging.INFO)
    spec = prepared(
        tiny, {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 5, "saveSteps": 1}}}
    )

    run_in_process(tiny, spec)

    assert "checkpoint of step 1 kept" in caplog.text
    assert [key for key in tiny.bucket.object_keys("store/") if _is_checkpoint(key)] == []


def test_a_corrupt_output_of_the_same_stage_is_made_anew(tiny, caplog):
    spec = prepared(tiny, TUNE, MERGE, output=None)
    first = finish_passes(tiny, ["tune"], spec=spec)["tune"]
    folder = tiny.job(spec).cache.attempt_folder(required(tiny.job(spec)).key_of("tune"), first.attempt)
    tiny.bucket.put(f"store/{folder}/{first.files[0].path}", b"x" * first.files[0].size)

    run_in_process(tiny, spec)

    assert "is not what was committed" in caplog.text
    now = find_committed(tiny.job(spec), required(tiny.job(spec)))
    assert now["tune"].digest != first.digest
    assert now["merge"].inputs["input"] == now["tune"].digest


def test_a_pass_that_fails_is_named_and_what_was_committed_before_is_told(tiny):
    spec = prepared(tiny, TUNE, MERGE)
    finish_passes(tiny, ["tune"], spec=spec)  # nothing that could be merged

    ended = tiny.run("stage", "0")

    assert ended.code != 0
    assert ended.message.failure.index == 1
    assert [bool(step.digest) for step in ended.message.passes] == [True, False]
    assert ended.message.published is None


def test_a_stage_of_finished_passes_publishes_without_running_any(place):
    spec = prepared(place, TUNE, MERGE, INT4)
    finish_passes(place, ["tune", "merge", "int4"], spec=spec)
    assert run_in_process(place, spec).published.uri == f"s3://{place.bucket.name}/out"


def test_a_corrupt_output_of_an_earlier_stage_is_committed_no_more(place):
    systems = [{"name": "big"}, {"name": "small"}]
    spec = prepared(place, TUNE | {"system": "big"}, MERGE | {"system": "small"}, systems=systems)
    made = finish_passes(place, ["tune"], spec=spec)["tune"]
    folder = place.job(spec).cache.attempt_folder(required(place.job(spec)).key_of("tune"), made.attempt)
    place.bucket.put(f"store/{folder}/{made.files[0].path}", b"x" * made.files[0].size)

    assert failure_of(place, spec, index=1).reason is Reason.ARTIFACT_CORRUPT
    assert find_committed(place.job(spec), required(place.job(spec))) == {}


def test_without_the_output_of_an_earlier_stage_a_stage_cannot_run(place):
    systems = [{"name": "big"}, {"name": "small"}]
    spec = prepared(place, TUNE | {"system": "big"}, MERGE | {"system": "small"}, systems=systems)
    error = failure_of(place, spec, index=1)
    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "'tune' is not in the store" in error.message


def test_rows_that_changed_since_prepare_are_refused(place):
    spec = prepared(place, TUNE)
    place.bucket.put("tones.jsonl", jsonl(TONES[:2]))
    error = failure_of(place, spec)
    assert error.reason is Reason.DATASET_INVALID
    assert "has changed since the job was prepared" in error.message


def test_a_model_that_changed_since_prepare_is_refused(place):
    spec = prepared(place, TUNE)
    place.bucket.put("base/model.safetensors", b"others!")
    error = failure_of(place, spec)
    assert error.reason is Reason.MODEL_NOT_FOUND
    assert "has changed since the job was prepared" in error.message


def test_a_stage_without_prepare_says_what_is_missing(place):
    error = failure_of(place, place.spec())
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert "prepared.json is not there" in error.message


def test_a_stage_that_the_plan_lacks_is_refused(place):
    assert failure_of(place, place.spec(), index=7).reason is Reason.INVALID_SPEC


@pytest.fixture(autouse=True)
def _own_devices(monkeypatch):
    """A CPU stage hides devices from its process; here that is undone after each test."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_checkpoint(key):
    return "/checkpoints/" in key


def _has_moved(progress):
    """A step done by this process."""
    return progress.get("step", 0) > progress.get("resumedFromStep", 0)


def _stopped_while_running(place, number, when=_has_moved):
    """Progress of a stage when it is asked to stop, and the code it ends with."""
    port = _free_port()
    command = [*place.command("stage", "0"), "--progress-port", str(port)]
    with running(command, env=environment(), stderr=subprocess.DEVNULL) as process:
        progress = _first_progress(process, port, when)
        process.send_signal(number)
        return progress, process.wait(timeout=60)


def _first_progress(process, port, when):
    """The first for which something holds."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/progress", timeout=5) as answer:
                progress = json.loads(answer.read() or b"{}")
        except urllib.error.URLError:
            progress = {}
        if when(progress):
            return progress
        time.sleep(0.1)
    pytest.fail(f"no pass has come so far; exit code {process.poll()}")
