"""Pods that run nothing, on a node that kwok simulates; they end when a test says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster_access import Cluster
from cluster_setup import hack
from cluster_workspace import Workspace

Json = dict[str, Any]
NODE = "kwok-0"
TOLERATION = {"key": "kwok.x-k8s.io/node", "operator": "Exists"}
LAST_WORD = "finetune.local/termination-message"
"""Annotation of a pod with which kwok lets it end well."""


def system(name: str) -> Json:
    """A job's system whose pods go to the node."""
    return {"name": name, "nodeSelector": {"type": "kwok"}, "tolerations": [TOLERATION]}


@contextmanager
def kwok_node(workspace: Workspace) -> Iterator[None]:
    """Of the cluster, until the end of the block; the workspace's jobs, whose pods it has, go before."""
    _set_count(workspace.cluster, 1)
    try:
        yield
        workspace.kubectl("delete", "ftj", "--all", "--cascade=foreground")
    finally:
        _set_count(workspace.cluster, 0)


def running(workspace: Workspace, labels: str) -> list[Json]:
    """Pods on the node that have such labels and run."""
    return workspace.get("pods", "-l", labels, "--field-selector", f"spec.nodeName={NODE},status.phase=Running")[
        "items"
    ]


def end(workspace: Workspace, labels: str, last_word: str) -> None:
    """Pods on the node that have such labels end well, also those that are still to start."""
    there = f"spec.nodeName={NODE},status.phase!=Succeeded"
    note = f"{LAST_WORD}={last_word}"
    workspace.kubectl("annotate", "pods", "-l", labels, "--field-selector", there, "--overwrite", note)


def _set_count(cluster: Cluster, nodes: int) -> None:
    hack("cluster", "up", "--name", cluster.name, "--kwok-nodes", str(nodes))
