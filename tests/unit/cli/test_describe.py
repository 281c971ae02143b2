"""finetune describe: what a person reads of a job's status. Expectations are written by hand."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from finetune_api import API_VERSION, KIND
from finetune_api.resource.status import FineTuneJobStatus
from finetune_cli.describing.story import story
from finetune_cli.words import columns, duration, size

NOON = "2026-11-24T12:00:00Z"
DIGEST = "sha256:" + "0" * 64


def at(minutes: float) -> str:
    return (datetime.fromisoformat(NOON) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind, status, reason, message=""):
    told = {"type": kind, "status": status, "reason": reason, "message": message}
    return told | {"lastTransitionTime": NOON}


def told(minutes: float = 12, **status) -> list[str]:
    """The lines of a story, so long after the start."""
    now = datetime.fromisoformat(NOON).astimezone(UTC) + timedelta(minutes=minutes)
    return story("tone", "team", FineTuneJobStatus.from_wire({"startTime": NOON, **status}), now).splitlines()


def saved(**status):
    metadata = {"name": "tone", "namespace": "team", "uid": "1", "managedFields": []}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {}, "status": status}


def test_a_finished_job_tells_its_passes_gates_and_artifact():
    tuned = {"name": "tune", "state": "Succeeded", "cacheHit": True, "startTime": NOON}
    metrics = [{"name": "accuracy", "value": "0.9300", "low": "0.8900", "high": "0.9600"}]
    checked = {"name": "check", "state": "Succeeded", "attempts": 2, "startTime": at(1), "completionTime": at(2.5)}
    artifact = {"uri": "s3://models/tone", "digest": DIGEST, "sizeBytes": 2480343613, "name": "model", "format": "onnx"}
    gate = {"metric": "accuracy", "after": "int4", "requirement": "at least 0.9", "value": "0.9300", "passed": True}

    lines = told(
        phase="Complete",
        completionTime=at(62),
        conditions=[condition("Complete", "True", "Completed"), condition("Reconciling", "False", "Completed", "done")],
        prepare={"attempt": 2, "state": "Succeeded"},
        passes=[tuned, {**checked, "metrics": metrics, "artifact": {"uri": "x", "digest": DIGEST, "sizeBytes": 2048}}],
        gates=[gate],
        artifacts=[artifact | {"pass": "int4"}],
        acceleratorSeconds=3725,
    )

    assert lines == [
        "FineTuneJob tone in namespace team",
        "  phase         Complete after 1 h 2 min",
        "  accelerators  held for 1 h 2 min, times devices",
        "",
        "Passes",
        "  prepare  Succeeded              asked for 2 times",
        "  tune     Succeeded              found in the store",
        "  check    Succeeded  1 min 30 s  2 attempts, accuracy 0.9300 (0.8900 to 0.9600), 2.00 KiB",
        "",
        "Gates",
        "  passed  accuracy after int4: 0.9300 (at least 0.9)",
        "",
        "Artifact",
        "  s3://models/tone",
        "  onnx, 2.31 GiB, made by int4",
        f"  {DIGEST}",
    ]


def test_a_failure_is_told_with_where_why_what_to_do_and_the_logs_end():
    failure = {
        "pass": "tune",
        "pod": "tone-gpu-0-7c9f-abcde",
        "reason": "OutOfHostMemory",
        "exitCode": 137,
        "path": "spec.systems[0]",
        "message": "the pod used more memory than its limit",
        "remedy": "raise the memory in the system's resources",
        "logTail": "step 3 of 150\nKilled",
    }
    lines = told(phase="Failed", conditions=[condition("Failed", "True", "OutOfHostMemory")], failure=failure)

    assert lines[lines.index("Failure") :] == [
        "Failure",
        "  reason     OutOfHostMemory",
        "  pass       tune",
        "  pod        tone-gpu-0-7c9f-abcde",
        "  place      spec.systems[0]",
        "  exit code  137",
        "  cause      the pod used more memory than its limit",
        "  remedy     raise the memory in the system's resources",
        "  the log's last lines",
        "    step 3 of 150",
        "    Killed",
    ]


def test_a_running_pass_tells_how_far_it_is():
    progress = {"pass": "tune", "step": 63, "totalSteps": 150, "percent": 42, "loss": "1.83", "etaSeconds": 310}
    lines = told(phase="Running", progress=progress, passes=[{"name": "tune", "state": "Running", "startTime": at(10)}])
    assert "  phase  Running, for 12 min" in lines
    assert "  tune  Running  2 min  step 63 of 150, loss 1.83, 310 s left" in lines


def test_what_a_job_waits_for_is_told_with_since_when():
    reconciling = condition("Reconciling", "True", "Unschedulable", "pod tone-gpu-0 is not scheduled: 0/1 nodes")
    lines = told(phase="Waiting", conditions=[reconciling], waiting={"reason": "Unschedulable", "since": at(7)})
    assert "  waits for  Unschedulable: pod tone-gpu-0 is not scheduled: 0/1 nodes (for 5 min)" in lines


def test_a_store_that_is_away_is_told_with_since_when():
    outage = {"message": "spec.store.s3: bucket 'models' can't be used.", "since": at(7)}
    lines = told(phase="Running", progress={"pass": "tune", "outage": outage})
    assert "  away   spec.store.s3: bucket 'models' can't be used. (for 5 min)" in lines


def test_so_is_what_prepare_waits_for():
    outage = {"message": "spec.inputModel: the hub does not answer.", "since": at(7)}
    lines = told(phase="Preparing", prepare={"attempt": 1, "state": "Running", "outage": outage})
    assert "  away   spec.inputModel: the hub does not answer. (for 5 min)" in lines


def test_a_job_that_the_operator_has_not_seen_says_so():
    now = datetime.fromisoformat(NOON)
    assert story("tone", "team", FineTuneJobStatus(), now).splitlines()[1] == "  phase  not seen by the operator yet"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (90, "1 min 30 s"), (3600, "1 h"), (90061, "1 d 1 h")]
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(9, "9 bytes"), (2048, "2.00 KiB"), (5 * 2**30, "5.00 GiB")])
def test_a_size_has_the_unit_that_fits(count, text):
    assert size(count) == text


def test_columns_stand_below_each_other_whatever_their_width():
    assert columns([("a", "bb", "c"), ("aaa", "b", "c")]) == ["  a    bb  c", "  aaa  b   c"]


def test_a_saved_object_is_described_without_a_cluster(finetune, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [saved(phase="Preparing"), saved()]}))

    ended = finetune("describe", "-f", file)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("FineTuneJob tone in namespace team") == 2
    assert "phase  Preparing" in ended.out


def test_for_programs_each_job_is_an_object_in_a_line(finetune, tmp_path):
    file = tmp_path / "jobs.yaml"
    file.write_text(yaml.safe_dump_all([saved(phase="Preparing"), saved()]))

    first, second = map(json.loads, finetune("describe", "-f", file, "-o", "json").out.splitlines())

    assert (first["name"], first["namespace"], first["status"]["phase"]) == ("tone", "team", "Preparing")
    assert second["status"].get("phase", "") == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("kind: Secret", "job.yaml: holds no FineTuneJob 'tone'"),
        ("a: [", "job.yaml: line"),
        (yaml.safe_dump(saved(prepare={"state": "Dreaming"})), "status.prepare.state: "),
        (yaml.safe_dump(saved(prepare={"state": "Dreaming"})), "use the finetune of the operator's version"),
    ],
)
def test_what_can_not_be_described_ends_with_1_and_a_sentence(finetune, tmp_path, content, said):
    file = tmp_path / "job.yaml"
    file.write_text(content)
    ended = finetune("describe", "tone", "-f", file)
    assert (ended.code, ended.is_bug, said in ended.err) == (1, False, True), ended.err


def test_what_a_newer_operator_says_more_does_not_keep_a_job_from_being_described(finetune, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(saved(phase="Dreaming", mood="good")))
    ended = finetune("describe", "tone", "-f", file)
    assert (ended.code, "phase  Dreaming" in ended.out) == (0, True), ended.err


def test_neither_a_name_nor_a_file_is_misuse(finetune):
    assert finetune("describe").code == 2


def test_a_job_that_is_disrupted_tells_how_often_and_what_there_is_to_go_on_from():
    pod = {"name": "p", "uid": "u", "creationTime": NOON, "reason": "PreemptionByScheduler"}
    known = {"pass": "tune", "count": 3, "checkpointStep": 40, "newestPod": pod}
    said = "3 times in a row without a new checkpoint of tune, the newest is that of step 40 (PreemptionByScheduler)"
    assert f"  disrupted  {said}" in told(phase="Running", disruptions=known)
    once = known | {"count": 1, "checkpointStep": 0}
    said = "once without a new checkpoint of tune (PreemptionByScheduler)"
    assert f"  disrupted  {said}" in told(phase="Running", disruptions=once)
    assert not any("disrupted" in line for line in told(phase="Running", disruptions=known | {"count": 0}))
