"""Wrong input, each tried as a user would: a clear message, and no stage's pod was started."""

import sys
from dataclasses import dataclass
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_manifests import with_change
from cluster_workspace import PREPARE_SECONDS, Workspace, create_credentials

Json = dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """One field of a good spec set wrongly, and what the status must say of it."""

    field: str
    value: Any
    reason: str
    path: str
    says: tuple[str, ...]


FOUND_IN_THE_SPEC = {
    "unknown-data-config": Mistake(
        *("passes.0.lora.trainData", "sonnets"),
        *("InvalidSpec", "spec.passes[0].lora.trainData", ("sonnets", "tones, heldout")),
    ),
    "unknown-system": Mistake(
        *("passes.0.system", "tpu"), *("InvalidSpec", "spec.passes[0].system", ("tpu", "use one of: cpu"))
    ),
    "queue-without-kueue": Mistake(
        *("systems.0.queueName", "team-a"),
        *("InvalidSpec", "spec.systems[0].queueName", ("without Kueue", "kueue.enabled")),
    ),
    "unknown-column": Mistake(
        *("dataConfigs.0.preprocess.textColumns", ["text", "tone"]),
        *("InvalidSpec", "spec.dataConfigs[0].preprocess.textTemplate", ("phrase", "text, tone")),
    ),
    "merge-without-adapter": Mistake(
        *("passes.0", manifests.merge()), *("InvalidSpec", "spec.passes[0]", ("adapter", "a tuning pass (lora"))
    ),
    "unknown-evaluator": Mistake(
        *("passes.1", manifests.check(evaluate={"evaluator": "taste", "data": "heldout"})),
        *("InvalidSpec", "spec.passes[1].evaluate.evaluator", ("taste", "tone")),
    ),
}
FOUND_BY_PREPARE = {
    "missing-column": Mistake(
        *("dataConfigs.0.preprocess.textTemplate", "{phrase} is {mood}"),
        *("DatasetInvalid", "spec.dataConfigs[0].preprocess", ("mood", "phrase", "tone")),
    ),
    "empty-dataset": Mistake(
        *("dataConfigs.0.source.s3.uri", "s3://BUCKET/data/empty.jsonl"),
        *("DatasetInvalid", "spec.dataConfigs[0].source", ("empty.jsonl",)),
    ),
    "missing-dataset": Mistake(
        *("dataConfigs.0.source.s3.uri", "s3://BUCKET/data/nowhere.jsonl"),
        *("DatasetInvalid", "spec.dataConfigs[0].source", ("nowhere.jsonl",)),
    ),
    "missing-bucket": Mistake(
        *("store.s3.uri", "s3://no-such-bucket/store"),
        *("InvalidSpec", "spec.store.s3", ("no-such-bucket", "does not exist")),
    ),
    "wrong-credentials": Mistake(
        *("store.s3.credentialsSecretRef.name", "wrong-key"), *("AuthDenied", "spec.store.s3", ("wrong-key",))
    ),
    "missing-secret": Mistake(
        *("store.s3.credentialsSecretRef.name", "no-such-secret"), *("AuthDenied", "spec.store.s3", ("no-such-secret",))
    ),
    "missing-model": Mistake(
        *("inputModel.source.s3.uri", "s3://BUCKET/models/no-such-model"),
        *("ModelNotFound", "spec.inputModel.source", ("no-such-model",)),
    ),
}


@pytest.fixture(scope="module")
def base_spec(workspace: Workspace) -> Json:
    """A spec with nothing wrong."""
    return workspace.spec("good", [manifests.lora(), manifests.check()])


@pytest.fixture(scope="module")
def applied(workspace: Workspace, base_spec: Json) -> Workspace:
    """The workspace with every mistake applied, so that their pods start side by side."""
    workspace.bucket.put("data/empty.jsonl", "")
    create_credentials(workspace, "wrong-key", "not-the-secret-key")
    for name, mistake in (FOUND_IN_THE_SPEC | FOUND_BY_PREPARE).items():
        value = mistake.value
        value = value.replace("BUCKET", workspace.bucket.name) if isinstance(value, str) else value
        workspace.apply(name, with_change(base_spec, mistake.field, value))
    return workspace


def assert_says(failure: Json, mistake: Mistake) -> None:
    text = f"{failure['message']} {failure.get('remedy', '')}"
    assert failure["reason"] == mistake.reason, text
    assert failure["path"].startswith(mistake.path), text
    assert [part for part in mistake.says if part not in text] == [], text


@pytest.mark.parametrize("name", FOUND_IN_THE_SPEC)
def test_a_mistake_in_the_spec_is_named_before_any_pod(applied: Workspace, name: str) -> None:
    failure = applied.failed(name, PREPARE_SECONDS)
    assert_says(failure, FOUND_IN_THE_SPEC[name])
    assert applied.jobs(name) == []


@pytest.mark.parametrize("name", FOUND_BY_PREPARE)
def test_a_mistake_outside_the_spec_is_named_before_any_stage(applied: Workspace, name: str) -> None:
    failure = applied.failed(name, 2 * PREPARE_SECONDS)
    assert_says(failure, FOUND_BY_PREPARE[name])
    assert failure["remedy"]
    assert applied.stage_jobs(name) == []


def test_a_failed_job_can_be_waited_for(applied: Workspace) -> None:
    applied.failed("unknown-system", PREPARE_SECONDS)
    said = applied.kubectl("wait", "ftj/unknown-system", "--for=condition=Failed", "--timeout=5s")
    assert "condition met" in said


def test_a_failure_is_told_in_the_events(applied: Workspace) -> None:
    applied.failed("unknown-system", PREPARE_SECONDS)
    events = applied.kubectl("describe", "ftj", "unknown-system").partition("\nEvents:")[2]
    assert "Warning" in events
    assert "tpu" in events


def test_a_failure_is_described(applied: Workspace) -> None:
    applied.failed("unknown-system", PREPARE_SECONDS)
    finetune = (sys.executable, "-m", "finetune_cli")
    said = applied.cluster.run(*finetune, "describe", "unknown-system", "--namespace", applied.namespace)
    assert "phase   Failed" in said
    assert "place   spec.passes[0].system" in said
    assert "remedy  use one of: cpu" in said


def test_a_misspelt_field_is_refused_by_name(workspace: Workspace, base_spec: Json) -> None:
    said = workspace.try_apply("misspelt", with_change(base_spec, "passes.0.lora.rank", 8))
    assert 'unknown field "spec.passes[0].lora.rank"' in said


def test_two_sources_at_once_are_refused(workspace: Workspace, base_spec: Json) -> None:
    both = with_change(base_spec, "inputModel.source.volume", {"claimName": "models"})
    said = workspace.try_apply("two-sources", both)
    assert "spec.inputModel.source" in said
    assert "set exactly one of huggingFace, s3, volume" in said


def test_a_place_in_a_queue_is_refused_without_the_queue(workspace: Workspace, base_spec: Json) -> None:
    said = workspace.try_apply("no-queue", with_change(base_spec, "systems.0.workloadPriorityClassName", "urgent"))
    assert "workloadPriorityClassName orders a queue, and there is none" in said


def test_two_variants_of_a_pass_are_refused(workspace: Workspace, base_spec: Json) -> None:
    said = workspace.try_apply("two-passes", with_change(base_spec, "passes.0.mergeAdapterWeights", {}))
    assert "set exactly one of lora, qlora" in said
