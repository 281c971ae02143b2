"""Talks to the API server with the administrator's certificate; just enough for this package."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from cluster.errors import ClusterError
from cluster.settings import API_PORT, Cluster

FIELD_MANAGER = "finetune-cluster"
Object = dict[str, Any]


def ready(cluster: Cluster) -> bool:
    return answers(cluster, API_PORT, "/readyz")


def get(cluster: Cluster, path: str) -> Object:
    found: Object = json.loads(_checked(cluster, "GET", path))
    return found


def apply(cluster: Cluster, path: str, content: Object) -> None:
    """Server-side apply: creates or updates, and may be repeated."""
    query = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
    _checked(cluster, "PATCH", query, content, "application/apply-patch+yaml")


def merge(cluster: Cluster, path: str, content: Object) -> None:
    _checked(cluster, "PATCH", path, content, "application/merge-patch+json")


def delete(cluster: Cluster, path: str) -> None:
    _checked(cluster, "DELETE", path)


def exists(cluster: Cluster, path: str) -> bool:
    try:
        return _request(cluster, "GET", path)[0] == http.client.OK
    except OSError:
        return False


def answers(cluster: Cluster, port: int, path: str, tls: bool = True) -> bool:
    """Whether something at the node's address answers this path with 200."""
    try:
        return _request(cluster, "GET", path, port=port, tls=tls)[0] == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def _checked(cluster: Cluster, method: str, path: str, content: Object | None = None, kind: str = "") -> str:
    try:
        status, body = _request(cluster, method, path, content, kind)
    except OSError as error:
        raise ClusterError(f"{cluster.server} does not answer: {error}") from error
    if status >= http.client.BAD_REQUEST:
        raise ClusterError(f"{method} {path}: {status}: {body}")
    return body


def _request(
    cluster: Cluster,
    method: str,
    path: str,
    content: Object | None = None,
    kind: str = "",
    *,
    port: int = API_PORT,
    tls: bool = True,
) -> tuple[int, str]:
    headers = {"Content-Type": kind} if kind else {}
    connection = _connection(cluster, port, tls)
    try:
        connection.request(method, path, json.dumps(content) if content else None, headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def _connection(cluster: Cluster, port: int, tls: bool) -> http.client.HTTPConnection:
    if tls:
        return http.client.HTTPSConnection(cluster.node_ip, port, timeout=10, context=_context(cluster, port))
    return http.client.HTTPConnection(cluster.node_ip, port, timeout=10)


def _context(cluster: Cluster, port: int) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cluster.certs / "ca.crt")
    if port != API_PORT:
        # Health ports of the other components carry certificates they made themselves.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(cluster.certs / "admin.crt", cluster.certs / "admin.key")
    return context
