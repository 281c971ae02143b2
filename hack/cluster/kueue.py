"""Kueue in a cluster: the manifests of its own module, with the program that was built from it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster import binaries, environment, settings
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.settings import Cluster

NAMESPACE = "kueue-system"
DEPLOYMENT = "kueue-controller-manager"
CERTIFICATE = "kueue-webhook-server-cert"
READY_SECONDS = 120
CONFIGURATION = "controller_manager_config.yaml"
PROGRAM_FOLDER = "/opt/kueue"
RETRY_SECONDS = 10
"""Until one that was evicted since its pods did not get ready may be admitted again."""


def install(cluster: Cluster, pods_ready_seconds: int = 0) -> None:
    """Apply it and wait until it is ready; may be repeated.

    Args:
        cluster: where.
        pods_ready_seconds: within which an admitted Job must have its pods running (waitForPodsReady); 0: for ever.
    """
    with _overlay(pods_ready_seconds) as folder:
        _kubectl(cluster, "apply", "--server-side", "--force-conflicts", "-k", str(folder))
    within = f"--timeout={READY_SECONDS}s"
    _in_namespace(cluster, "wait", f"secret/{CERTIFICATE}", "--for=jsonpath={.data.tls\\.crt}", within)
    # It waits to see what it wrote in its volume: at the pod's next sync, in a minute where nothing changes.
    _in_namespace(cluster, "annotate", "pods", "-l", "control-plane=controller-manager", "--overwrite", "synced=now")
    _in_namespace(cluster, "rollout", "status", f"deployment/{DEPLOYMENT}", within)


def remove(cluster: Cluster) -> None:
    """Take all of it away, its webhooks with it, without which no Job could be made any more."""
    with _overlay() as folder:
        _kubectl(cluster, "delete", "--ignore-not-found", "--timeout=120s", "-k", str(folder))


@contextmanager
def _overlay(pods_ready_seconds: int = 0) -> Iterator[Path]:
    """A kustomization over the module's config/default."""
    with tempfile.TemporaryDirectory(prefix="kueue-") as scratch:
        folder = Path(scratch)
        # By a link: kustomize takes a path with an @ in it for a repository's address.
        (folder / "module").symlink_to(_module())
        deployment = {"kind": "Deployment", "name": DEPLOYMENT}
        patches = [{"target": deployment, "patch": json.dumps(_changes())}]
        if pods_ready_seconds:
            config_map = {"kind": "ConfigMap", "name": "kueue-manager-config"}
            patches.append({"target": config_map, "patch": json.dumps([_waiting_for_pods(pods_ready_seconds)])})
        content = {"resources": ["module/config/default"], "patches": patches}
        (folder / "kustomization.yaml").write_text(json.dumps(content))
        yield folder


def _changes() -> list[dict[str, Any]]:
    """Of the Deployment: nothing can be pulled, so its pod runs the program from a folder of this machine's."""
    program = binaries.path("kueue").parent
    pod, container = "/spec/template/spec", "/spec/template/spec/containers/0"
    return [
        {"op": "replace", "path": f"{container}/image", "value": settings.BUSYBOX_IMAGE},
        {"op": "replace", "path": f"{container}/imagePullPolicy", "value": "IfNotPresent"},
        {"op": "replace", "path": f"{container}/command", "value": [f"{PROGRAM_FOLDER}/kueue"]},
        {"op": "add", "path": f"{container}/securityContext/runAsUser", "value": 65532},
        {"op": "replace", "path": f"{container}/resources", "value": {}},
        {"op": "replace", "path": f"{container}/readinessProbe/initialDelaySeconds", "value": 1},
        {"op": "replace", "path": f"{container}/readinessProbe/periodSeconds", "value": 1},
        {
            "op": "add",
            "path": f"{container}/volumeMounts/-",
            "value": {"name": "program", "mountPath": PROGRAM_FOLDER, "readOnly": True},
        },
        {
            "op": "add",
            "path": f"{pod}/volumes/-",
            "value": {"name": "program", "hostPath": {"path": str(program), "type": "Directory"}},
        },
    ]


def _waiting_for_pods(seconds: int) -> dict[str, Any]:
    """Of the configuration: its own, and waitForPodsReady, which it has as a comment."""
    text = (_module() / "config/components/manager" / CONFIGURATION).read_text(encoding="utf-8")
    wait = {"timeout": f"{seconds}s", "requeuingStrategy": {"backoffBaseSeconds": RETRY_SECONDS}}
    value = f"{text}\nwaitForPodsReady: {json.dumps(wait)}\n"
    return {"op": "replace", "path": f"/data/{CONFIGURATION}", "value": value}


def _module() -> Path:
    return binaries.module_folder(binaries.KUEUE_MODULE, settings.KUEUE_VERSION)


def _in_namespace(cluster: Cluster, *arguments: str) -> None:
    _kubectl(cluster, "-n", NAMESPACE, *arguments)


def _kubectl(cluster: Cluster, *arguments: str) -> None:
    command = [str(binaries.path("kubectl")), *arguments]
    variables = {**os.environ, **environment.variables(cluster)}  # without HOME its cache would lie in this folder
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
