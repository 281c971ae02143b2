"""The chart is upgraded, rolled back, removed and installed again, and jobs go on where they were."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import cluster_kwok as kwok
import cluster_manifests as manifests
import cluster_operator as operator
import cluster_setup as setup
from cluster_access import Cluster, until
from cluster_setup import CHART, OPERATOR_NAMESPACE, RELEASE
from cluster_store import attempts
from cluster_witness import job_uids
from cluster_workspace import CHAIN_SECONDS, JOB_LABEL, PREPARE_SECONDS, STAGE_LABEL, Workspace, in_phase
from runner_words import message

Json = dict[str, Any]
PREVIOUS = Path(__file__).parent / "data" / "finetune-operator-c53dd5f.tgz"
"""A chart of before; it is given the images of this checkout, as no others are at hand."""
CRD = CHART / "files" / "finetunejobs.yaml"
LATER_FIELD = "artifactDeletion"
"""Of spec, which that chart's definition doesn't have."""
SOME_STEPS = 600
STEP_SECONDS = 120
NO_IMAGE = "finetune.local/none:of-a-later-version"
HELM = ("helm", "-n", OPERATOR_NAMESPACE)
WITHIN = ("--wait", "--timeout", "300s")

pytestmark = [pytest.mark.faults, pytest.mark.roles_change, pytest.mark.minutes(1.9)]


@pytest.fixture
def images(cluster: Cluster) -> Iterator[dict[str, str]]:
    """Of this checkout, whose chart is installed again in the end."""
    found = setup.load_images(cluster)
    yield found
    setup.install_chart(cluster, found)


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """That chart, whose definition lets today's operator write all of its status: one of its own time writes less."""
    shutil.unpack_archive(PREVIOUS, tmp_path)
    [chart] = tmp_path.iterdir()
    file = chart / "files" / "finetunejobs.yaml"
    definition = yaml.safe_load(file.read_text())
    known, today = (_status(one) for one in (definition, yaml.safe_load(CRD.read_text())))
    known.update({name: field for name, field in today.items() if name not in known})
    file.write_text(yaml.safe_dump(definition))
    return chart


def _status(definition: Json) -> Json:
    [version] = definition["spec"]["versions"]
    fields: Json = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    return fields


@pytest.fixture
def kwok_node(workspace: Workspace) -> Iterator[None]:
    """For pods that run until the test ends them."""
    with kwok.kwok_node(workspace):
        yield


def simulated(workspace: Workspace, name: str) -> Json:
    """A spec of two stages."""
    systems = [kwok.system("first"), kwok.system("second")]
    passes = [manifests.lora("tune", system="first"), manifests.merge(system="second")]
    return workspace.spec(name, passes, systems) | {"prepare": {"system": "first"}}


def prepared(workspace: Workspace, name: str) -> str:
    """A job's prepare ends well; its phase."""
    kwok.end(workspace, f"{JOB_LABEL}={name},!{STAGE_LABEL}", message("prepare", set(), passes=2))
    return str(workspace.status(name).get("phase", ""))


def reaches_stage(workspace: Workspace, name: str) -> bool:
    """Whether its first stage runs."""
    running = prepared(workspace, name) == "Running"
    return running and bool(kwok.running(workspace, f"{JOB_LABEL}={name},{STAGE_LABEL}"))


def goes_on(workspace: Workspace, name: str) -> str:
    """All pods that a job has end well; its phase."""
    for stage, last in ((0, False), (1, True)):
        word = message("stage", set(range(stage + 1)), passes=2, published=last)
        kwok.end(workspace, f"{JOB_LABEL}={name},{STAGE_LABEL}={stage}", word)
    return prepared(workspace, name)


def ends(workspace: Workspace, name: str) -> Json:
    """Its status once it is Complete."""
    until(lambda: goes_on(workspace, name) == "Complete", STEP_SECONDS, f"{name} is Complete")
    return workspace.status(name)


def knows_later_field(cluster: Cluster) -> bool:
    return cluster.attempt("kubectl", "explain", f"ftj.spec.{LATER_FIELD}").returncode == 0


@pytest.mark.usefixtures("kwok_node")
def test_jobs_go_on_while_the_chart_is_upgraded_and_rolled_back(
    workspace: Workspace, images: dict[str, str], previous: Path
) -> None:
    cluster = workspace.cluster
    setup.install_chart(cluster, images, previous)
    assert not knows_later_field(cluster)
    workspace.apply("done", simulated(workspace, "done"))
    workspace.apply("asleep", simulated(workspace, "asleep") | {"suspend": True})
    workspace.apply("under-way", simulated(workspace, "under-way"))
    ended, ended_jobs = ends(workspace, "done"), job_uids(workspace, "done")
    workspace.status_when("asleep", in_phase("Suspended"), PREPARE_SECONDS, "it was suspended")
    until(lambda: reaches_stage(workspace, "under-way"), STEP_SECONDS, "its first stage runs")
    begun = job_uids(workspace, "under-way")

    setup.install_chart(cluster, images | {"thin-runner": NO_IMAGE}, CHART, replicas="2")
    assert knows_later_field(cluster)
    until(lambda: operator.leader(cluster) in operator.pods(cluster), operator.READY_SECONDS, "a new one leads")
    workspace.apply("later", simulated(workspace, "later"))
    until(lambda: reaches_stage(workspace, "later"), STEP_SECONDS, "a later job runs")

    cluster.run(*HELM, "rollback", RELEASE, *WITHIN)
    assert not knows_later_field(cluster)
    workspace.kubectl("patch", "ftj", "asleep", "--type=merge", "-p", '{"spec":{"suspend":false}}')

    accepted_with = dict.fromkeys(("under-way", "asleep"), images["thin-runner"]) | {"later": NO_IMAGE}
    for name, image in accepted_with.items():
        status = ends(workspace, name)
        assert [step["attempts"] for step in status["passes"]] == [1, 1]
        assert status["runnerImage"] == image
        assert len(job_uids(workspace, name)) == 3
    assert begun <= job_uids(workspace, "under-way")
    assert (workspace.status("done"), job_uids(workspace, "done")) == (ended, ended_jobs)


def test_an_upgrade_that_does_not_get_ready_is_rolled_back(cluster: Cluster, images: dict[str, str]) -> None:
    before = operator.pods(cluster)
    changed = ("--reuse-values", "--set", f"replicas=2,image.operator.reference={NO_IMAGE}")
    done = cluster.attempt(*HELM, "upgrade", RELEASE, str(CHART), *changed, "--wait", "--timeout", "10s")
    assert done.returncode != 0
    assert set(before) <= set(operator.pods(cluster)), "the one that worked is gone"

    cluster.run(*HELM, "rollback", RELEASE, *WITHIN)
    until(lambda: len(operator.pods(cluster)) == 1, operator.READY_SECONDS, "one operator is left")


def test_a_job_outlives_an_operator_that_is_uninstalled(workspace: Workspace, images: dict[str, str]) -> None:
    cluster = workspace.cluster
    systems = [manifests.system("cpu"), manifests.system("other")]
    passes = [manifests.lora("tune", SOME_STEPS, system="cpu"), manifests.merge(system="other")]
    workspace.apply("orphan", workspace.spec("orphan", passes, systems))
    workspace.status_when("orphan", in_phase("Running"), CHAIN_SECONDS, "it ran")
    (stage,) = workspace.stage_jobs("orphan")

    cluster.run(*HELM, "uninstall", RELEASE, "--wait")
    waited = f"--timeout={CHAIN_SECONDS}s"
    workspace.kubectl("wait", "job", stage["metadata"]["name"], "--for=condition=Complete", waited)
    assert workspace.status("orphan")["phase"] == "Running"
    assert len(workspace.stage_jobs("orphan")) == 1

    setup.install_chart(cluster, images)
    status = workspace.completed("orphan")
    assert [step["attempts"] for step in status["passes"]] == [1, 1]
    assert [len(tries) for tries in attempts(workspace, status).values()] == [1, 1]
