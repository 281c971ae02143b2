"""The objects that the smoke test creates; plain data."""

from __future__ import annotations

from typing import Any

from cluster.nodes import GPU
from cluster.settings import BUSYBOX_IMAGE, PAUSE_IMAGE, S3_PORT

Object = dict[str, Any]
PAGE = "hello from a pod"
FETCH = f"""
until wget -qO- http://web.default.svc; do sleep 0.2; done
until wget -O- http://s3.s3.svc:{S3_PORT} 2>&1 | grep 'HTTP/1.1 403'; do sleep 0.2; done
"""
HARDENED = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def everything() -> Object:
    """A pod that only pauses, a web server and its Service, a hardened Job that fetches, a pod with a GPU."""
    items = [_pod("pause", {"image": PAUSE_IMAGE}), _web(), _service(), _fetch(), _gpu()]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _web() -> Object:
    serve = f"echo '{PAGE}' > /tmp/index.html; echo serving; exec httpd -f -p 8080 -h /tmp"
    return _pod("web", {"image": BUSYBOX_IMAGE, "command": ["sh", "-c", serve]})


def _service() -> Object:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def _fetch() -> Object:
    container = {"name": "fetch", "image": BUSYBOX_IMAGE, "command": ["sh", "-c", FETCH], "securityContext": HARDENED}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "fetch"}, "spec": {"template": pod}}


def _gpu() -> Object:
    return _pod("gpu", {"image": PAUSE_IMAGE, "resources": {"limits": {GPU: "1"}}})


def _pod(name: str, container: Object) -> Object:
    spec = {"terminationGracePeriodSeconds": 0, "containers": [{"name": name, **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
