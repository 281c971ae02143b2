"""Brings up what the cluster tests stand on: the cluster, the images in it, the operator from its chart.

Everything is reused when it is there, so that a second run starts at once. What is missing fails.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from cluster_access import Cluster

CHECKOUT = Path(__file__).parents[2]
CHART = CHECKOUT / "charts" / "finetune-operator"
NAME = os.environ.get("FINETUNE_TEST_CLUSTER", "test")
"""Of the first cluster, which stays up for the next session."""
GPUS = 4
OPERATOR_NAMESPACE = "finetune-system"
RELEASE = "finetune-operator"
OPERATOR_LABEL = "app.kubernetes.io/name=finetune-operator"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


def hack(tool: str, *arguments: str, seconds: float = 1200) -> str:
    """Output of one of the repository's own tools.

    Raises:
        AssertionError: it failed; with what it said.
    """
    command = [sys.executable, str(CHECKOUT / "hack" / tool), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"hack/{tool} {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def name_of(worker: int) -> str:
    """Of the cluster that a worker has to itself, counted from 0. `make cluster-down` and .ci/run know them too."""
    return f"{NAME}-{worker + 1}" if worker else NAME


def bring_up(name: str) -> Cluster:
    """A cluster for tests, its node claiming four GPUs, its API server writing down who asks for what."""
    hack("cluster", "up", "--name", name, "--gpus", str(GPUS), "--audit")
    variables = json.loads(hack("cluster", "env", "--name", name, "--json"))
    os.environ |= {name: variables[name] for name in ("NO_PROXY", "no_proxy")}  # tests ask its S3 server themselves
    return Cluster({**os.environ, **variables})


def take_down(cluster: Cluster) -> None:
    """End it; what it has is kept for the next time."""
    hack("cluster", "down", "--name", cluster.name)


def add_program(cluster: Cluster, name: str) -> None:
    """A program that a cluster can do without, built once, among those of this cluster."""
    hack("cluster", "build", "--component", name)
    hack("cluster", "up", "--name", cluster.name)


def load_images(cluster: Cluster) -> dict[str, str]:
    """Name to reference of the images of the current tree, which the cluster has afterwards."""
    names = ("operator", "thin-runner")
    references = hack("images", "load", "--cluster", cluster.name, *names).split()
    return dict(zip(names, references[-len(names) :], strict=True))


def install_chart(cluster: Cluster, images: dict[str, str], chart: Path = CHART, **values: str) -> None:
    """Install or upgrade the operator as a user would, and wait until it is ready."""
    _ensure_namespace(cluster)
    cluster.run(
        *("helm", "upgrade", "--install", RELEASE, str(chart), "--namespace", OPERATOR_NAMESPACE),
        *("--set", f"image.operator.reference={images['operator']}"),
        *("--set", f"image.runner.reference={images['thin-runner']}"),
        *("--set", "progressIntervalSeconds=1", "--set", "resyncSeconds=20", "--set", "logFormat=text"),
        *(option for name, value in values.items() for option in ("--set", f"{name}={value}")),
        *("--take-ownership", "--wait", "--timeout", "300s"),
        seconds=360,
    )


def _ensure_namespace(cluster: Cluster) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}}
    cluster.apply(namespace)
    cluster.kubectl("label", "--overwrite", "namespace", OPERATOR_NAMESPACE, RESTRICTED)
