"""The fixtures of the cluster tier: everything real, reused where it is there, nothing ever skipped."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

import cluster_diagnostics as diagnostics
import cluster_kueue as kueue
import cluster_manifests as manifests
import cluster_setup as setup
import cluster_workspace as workspaces
from cluster_access import Cluster, CommandError
from cluster_audit import forbidden
from cluster_workspace import Workspace
from tiny_phi3 import make_tiny_phi3

MAIN_JOB = {"test_main_job", "test_cache", "test_security"}


class ByFile(LoadFileScheduling):
    """Shares files out among workers; those that look at the main job go to the same one, so that it runs once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "main job" if Path(file).stem in MAIN_JOB else file


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--own-clusters", action="store_true", help="each worker brings up a cluster of its own")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first, so that workers end at about the same time."""
    minutes: dict[Path, float] = {}
    for item in items:
        minutes[item.path] = max(minutes.get(item.path, 0), *(mark.args[0] for mark in item.iter_markers("minutes")), 0)
    items.sort(key=lambda item: minutes[item.path], reverse=True)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Cluster]:
    """A cluster with the operator of this checkout installed in it: all workers' or, with --own-clusters, this one's.

    The first stays up for the next session; the others end with this one.
    """
    alone, base = worker_id == "master", tmp_path_factory.getbasetemp()
    own = request.config.getoption("own_clusters", default=False)
    name = setup.name_of(int(worker_id.removeprefix("gw"))) if own and not alone else setup.NAME
    with ExitStack() as ending:
        with (base if alone else base.parent).joinpath(f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            running = setup.bring_up(name)
            if name != setup.NAME:
                ending.callback(setup.take_down, running)
            installed = _installed(running)
        yield installed


def _installed(running: Cluster) -> Cluster:
    setup.hack("images", "ml-env")
    images = setup.load_images(running)
    try:
        setup.install_chart(running, images)
    except CommandError as error:
        told = "\n".join(f"{title}:\n{text}" for title, text in diagnostics.of_operator(running).items())
        raise AssertionError(f"the operator did not become ready: {error}\n{told}") from error
    return running


@pytest.fixture(scope="module", autouse=True)
def nothing_forbidden(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a file of tests has the operator do, its roles allow it; but where they are changed while it runs."""
    begun = datetime.now(UTC)
    yield
    if not any(request.node.iter_markers("roles_change")):
        assert forbidden(cluster, begun) == set()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_phi3(tmp_path_factory.mktemp("tiny-phi3"))


@pytest.fixture(scope="module")
def workspace(cluster: Cluster, tiny_model: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """A namespace and a bucket for the tests of one file."""
    theme = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    made = workspaces.create(cluster, tiny_model, theme)
    yield made
    workspaces.remove(made)


@pytest.fixture(scope="session")
def kueue_installed(cluster: Cluster) -> Iterator[None]:
    """Kueue, to the end of the session: what is marked kueue is run by itself."""
    with kueue.installed(cluster):
        yield


@pytest.fixture(scope="session")
def shared_workspace(cluster: Cluster, tiny_model: Path) -> Iterator[Workspace]:
    """The workspace of the job that tests of several files look at."""
    made = workspaces.create(cluster, tiny_model, "main-job")
    yield made
    workspaces.remove(made)


@pytest.fixture(scope="session")
def main_job(shared_workspace: Workspace) -> dict[str, Any]:
    """The completed main job `tone`: lora, merge, int4, evaluate. To be looked at only."""
    passes = [manifests.lora(), manifests.merge(), manifests.int4(), manifests.check()]
    shared_workspace.apply("tone", shared_workspace.spec("tone", passes))
    shared_workspace.completed("tone")
    return shared_workspace.get("ftj", "tone")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A test that failed shows what the cluster has to say."""
    report = yield
    if report.failed and call.when in ("setup", "call"):
        report.sections.extend(_story(getattr(item, "funcargs", {})))
    return report


def _story(fixtures: dict[str, Any]) -> list[tuple[str, str]]:
    spaces = [value for value in fixtures.values() if isinstance(value, Workspace)]
    found: dict[str, str] = {}
    for space in spaces:
        found |= diagnostics.of_workspace(space) | diagnostics.of_operator(space.cluster)
    return list(found.items())
