"""What must hold of a job in a cluster once it has ended, whatever has happened to it on the way."""

from datetime import datetime
from typing import Any

import cluster_manifests as manifests
from cluster_access import until
from cluster_manifests import with_change
from cluster_store import cache_keys
from cluster_workspace import CHAIN_SECONDS, JOB_LABEL, Workspace, in_phase

Json = dict[str, Any]
GONE_SECONDS = 60
BARRIER_SECONDS = 60
FIRST, SECOND = "first", "second"


def two_passes(workspace: Workspace, name: str, steps: int) -> Json:
    """A spec of two passes in one pod, a short one and one of so many steps; it shares no work with another job."""
    seed = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**31
    passes = [manifests.lora(FIRST, 2), manifests.lora(SECOND, steps, input="base")]
    seeded = [with_change(step, "lora.training.seed", seed) for step in passes]
    return workspace.spec(name, seeded) | {"backoffLimit": 3}


def second_moves(status: Json) -> bool:
    """It has done steps, so that there is something to lose; and the first is committed, since a pass begins then."""
    return status.get("currentPass") == SECOND and moved(status)


def moved(status: Json) -> bool:
    """It has done steps."""
    return status.get("progress", {}).get("step", 0) > 0


def resumed(status: Json) -> bool:
    return status.get("progress", {}).get("resumedFromStep", 0) > 0


def reconciling(status: Json) -> Json:
    """The condition of that name; empty where there is none yet."""
    return next((c for c in status.get("conditions", []) if c["type"] == "Reconciling"), {})


def assert_complete_and_at_rest(workspace: Workspace, name: str, seconds: float = CHAIN_SECONDS) -> Json:
    """Complete, no committed pass made again, published whole, nothing running, and not to be woken; its status."""
    status = workspace.status_when(name, in_phase("Complete"), seconds, "it was Complete")
    assert_no_committed_pass_was_made_again(workspace, status)
    assert_published_whole(workspace, name, status)
    assert_nothing_runs(workspace, name)
    assert_it_stays_as_it_is(workspace, name, status)
    return status


def assert_failed_and_at_rest(workspace: Workspace, name: str, seconds: float = CHAIN_SECONDS) -> Json:
    """Failed, nothing running, and not to be woken; its failure."""
    failure = workspace.failed(name, seconds)
    assert_nothing_runs(workspace, name)
    assert_it_stays_as_it_is(workspace, name, workspace.status(name))
    return failure


def assert_no_committed_pass_was_made_again(workspace: Workspace, status: Json) -> None:
    """Each has one committed output, and nobody has written files for another since."""
    for step, key in cache_keys(status).items():
        folder = f"store/{workspace.namespace}/cache/{key}/"
        written = times_of(workspace, folder)
        committed = written.pop(f"{folder}manifest.json", None)
        assert committed, f"{step} is told done and has no committed output"
        later = [path for path, time in written.items() if time > committed and "/attempts/" in path]
        assert not later, f"{step} was made again after its commit: {later}"
        assert_whole(workspace, folder, attempts=True)


def assert_published_whole(workspace: Workspace, name: str, status: Json) -> None:
    (artifact,) = status["artifacts"]
    folder = f"published/{name}/"
    assert artifact["uri"] == workspace.bucket.uri(folder.rstrip("/"))
    written = times_of(workspace, folder)
    assert max(written.values()) == written[f"{folder}manifest.json"], "a file is newer than the manifest"
    manifest = assert_whole(workspace, folder)
    assert artifact["digest"].removeprefix("sha256:") == manifest["digest"]


def assert_whole(workspace: Workspace, folder: str, *, attempts: bool = False) -> Json:
    """The manifest of a folder, all of whose files are there in their size."""
    manifest = workspace.bucket.read_json(f"{folder}manifest.json")
    below = f"{folder}attempts/{manifest['attempt']}/" if attempts else folder
    sizes = {item["Key"]: item["Size"] for item in workspace.bucket.infos(folder)}
    for file in manifest["files"]:
        assert sizes.get(below + file["path"]) == file["size"], f"{below}{file['path']}"
    return manifest


def assert_nothing_runs(workspace: Workspace, name: str) -> None:
    until(lambda: not live_pods(workspace, name), GONE_SECONDS, f"no pod of {name} is left running")


def live_pods(workspace: Workspace, name: str) -> list[str]:
    pods = workspace.get("pods", "-l", f"{JOB_LABEL}={name}")["items"]
    return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]


def assert_it_stays_as_it_is(workspace: Workspace, name: str, status: Json) -> None:
    """Once the operator has looked again, at all that it may take for a reason to do something."""
    before = job_uids(workspace, name)
    workspace.kubectl("annotate", "--overwrite", f"ftj/{name}", "looked-at=again")
    workspace.kubectl("annotate", "--overwrite", "jobs", "-l", f"{JOB_LABEL}={name}", "looked-at=again")
    barrier(workspace)
    assert workspace.status(name) == status, "what has ended is written anew"
    assert job_uids(workspace, name) <= before, "a finished job has started again"


def job_uids(workspace: Workspace, name: str) -> set[str]:
    return {job["metadata"]["uid"] for job in workspace.jobs(name)}


def barrier(workspace: Workspace) -> None:
    """Returns once the operator has looked at everything there was when this was called."""
    wrong = with_change(workspace.spec("barrier", [manifests.lora()]), "passes.0.system", "nowhere")
    workspace.apply("barrier", wrong)
    workspace.failed("barrier", BARRIER_SECONDS)
    workspace.kubectl("delete", "ftj", "barrier")


def times_of(workspace: Workspace, folder: str) -> dict[str, datetime]:
    """When each object below a folder was written last."""
    return {item["Key"]: item["LastModified"] for item in workspace.bucket.infos(folder)}
