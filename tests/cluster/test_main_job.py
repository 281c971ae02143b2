"""The main job, from kubectl apply to a verified int4 model in the bucket, as a user sees it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster_access import Cluster
from cluster_metrics import Figures
from cluster_workspace import Workspace

Json = dict[str, Any]
PUBLISHED = "published/tone"


@pytest.fixture(scope="module")
def artifact(main_job: Json, shared_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published files, downloaded."""
    return shared_workspace.bucket.download(PUBLISHED, tmp_path_factory.mktemp("artifact"))


def test_kubectl_wait_sees_the_job_complete(main_job: Json, shared_workspace: Workspace) -> None:
    said = shared_workspace.kubectl("wait", "ftj/tone", "--for=condition=Complete", "--timeout=5s")
    assert "condition met" in said


def test_kubectl_get_shows_phase_pass_and_progress(main_job: Json, shared_workspace: Workspace) -> None:
    header, row = shared_workspace.kubectl("get", "ftj", "tone").splitlines()
    assert header.split() == ["NAME", "PHASE", "PASS", "PROGRESS", "AGE"]
    assert row.split()[:2] == ["tone", "Complete"]
    assert "100" in row.split()


def test_kubectl_get_wide_shows_where_the_artifact_lies(main_job: Json, shared_workspace: Workspace) -> None:
    assert shared_workspace.bucket.uri(PUBLISHED) in shared_workspace.kubectl("get", "ftj", "tone", "-o", "wide")


def test_kubectl_describe_tells_the_story_in_events(main_job: Json, shared_workspace: Workspace) -> None:
    events = shared_workspace.kubectl("describe", "ftj", "tone").partition("\nEvents:")[2]
    reasons = ["Accepted", "PrepareStarted", "Prepared", "StageStarted", "PassSucceeded", "Published", "Complete"]
    assert [reason for reason in reasons if reason not in events] == []


def test_every_pass_has_succeeded_with_a_committed_output(main_job: Json) -> None:
    passes = main_job["status"]["passes"]
    assert [(step["name"], step["state"]) for step in passes] == [
        (name, "Succeeded") for name in ("tune", "merge", "int4", "check")
    ]
    assert all(step["artifact"]["digest"].startswith("sha256:") for step in passes)


def test_the_evaluation_stands_in_status(main_job: Json) -> None:
    figures = {figure["name"]: float(figure["value"]) for figure in main_job["status"]["passes"][3]["metrics"]}
    assert set(figures) == {"accuracy", "loss"}
    assert 0 <= figures["accuracy"] <= 1
    assert figures["loss"] > 0


def test_the_published_files_have_the_digests_of_their_manifest(artifact: Path) -> None:
    manifest = yaml.safe_load((artifact / "manifest.json").read_text())
    found = {entry["path"]: hashlib.sha256((artifact / entry["path"]).read_bytes()) for entry in manifest["files"]}
    assert {path: digest.hexdigest() for path, digest in found.items()} == {
        entry["path"]: entry["sha256"] for entry in manifest["files"]
    }
    assert {"model.onnx", "genai_config.json"} <= set(found)


def test_status_names_the_artifact_by_place_digest_and_size(main_job: Json, artifact: Path) -> None:
    (named,) = main_job["status"]["artifacts"]
    manifest = yaml.safe_load((artifact / "manifest.json").read_text())
    lines = sorted(f"{entry['sha256']}  {entry['path']}\n" for entry in manifest["files"])
    assert named["uri"].endswith(PUBLISHED)
    assert named["format"] == "onnx"
    assert named["verifiedOn"] == "CPUExecutionProvider"
    assert named["digest"] == "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
    assert named["sizeBytes"] == sum(entry["size"] for entry in manifest["files"])


def test_the_published_model_generates_text(artifact: Path) -> None:
    import onnxruntime_genai as genai

    model = genai.Model(str(artifact))
    tokenizer = genai.Tokenizer(model)
    prompt = tokenizer.encode("### Text: I won the game\n### The tone is:\n")
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=len(prompt) + 4, do_sample=False)
    generator = genai.Generator(model, parameters)
    generator.append_tokens(prompt)
    generator.generate_next_token()
    assert len(generator.get_sequence(0)) == len(prompt) + 1


def test_prometheus_is_told_of_it_by_the_operator_that_leads(
    main_job: Json, cluster: Cluster, shared_workspace: Workspace
) -> None:
    figures = Figures(cluster)
    assert figures.value("leads") == 1
    assert figures.value("jobs", namespace=shared_workspace.namespace, phase="Complete") >= 1
    assert figures.value("jobs_completed_total") >= 1
    assert figures.value("accelerator_seconds_total", namespace=shared_workspace.namespace) == 0
    rounds = figures.value("reconcile_seconds_count")
    assert rounds > 10
    assert figures.value("reconcile_seconds_bucket", le="+Inf") == rounds
    assert figures.value("reconcile_errors_total", kind="fault") == 0
    for kind in ("FineTuneJob", "Job", "Pod"):
        assert figures.value("last_watch_event_timestamp_seconds", kind=kind) > 1.7e9


def test_kubectl_explain_documents_every_field_of_lora(cluster: Cluster) -> None:
    said = cluster.kubectl("explain", "finetunejob.spec.passes.lora")
    assert "no description" not in said.lower()
    for field in ("alpha", "dropout", "evalFraction", "r\t", "targetModules", "trainData", "training"):
        assert field in said


def test_kubectl_explain_documents_the_whole_spec(cluster: Cluster) -> None:
    for place in ("spec", "spec.passes", "spec.passes.lora.training", "spec.systems", "spec.store.s3", "status"):
        assert "<no description>" not in cluster.kubectl("explain", f"finetunejob.{place}")
