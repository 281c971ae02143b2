"""What the operator asked the API server for, by the API server's audit log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster_access import Cluster
from cluster_setup import OPERATOR_NAMESPACE, RELEASE

Json = dict[str, Any]
FORBIDDEN = b'"authorization.k8s.io/decision":"forbid"'
USER = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{RELEASE}"


@dataclass(frozen=True, order=True)
class Permission:
    verb: str
    group: str
    resource: str


def audited(cluster: Cluster) -> Iterator[Json]:
    """The operator's requests, oldest first."""
    for log in _logs(cluster):
        for line in log.read_text(encoding="utf-8").splitlines():
            if f'"{USER}"' in line:
                yield json.loads(line)


def _logs(cluster: Cluster) -> list[Path]:
    return sorted(Path(cluster.environment["LOGS"]).glob("audit*.log"), key=lambda log: log.stat().st_mtime)


def forbidden(cluster: Cluster, since: datetime) -> set[Permission | None]:
    """What the operator asked for since a moment, and no role allows.

    Admission refuses with the same status, such as in a namespace that is going; that is not meant.
    """
    return {
        asked_for(request)
        for log in _logs(cluster)
        if log.stat().st_mtime >= since.timestamp()
        for line in log.read_bytes().splitlines()
        if FORBIDDEN in line and (request := json.loads(line))["user"]["username"] == USER
        if datetime.fromisoformat(request["requestReceivedTimestamp"]) >= since
    }


def asked_for(request: Json) -> Permission | None:
    """What a request needs; None for one that is about no resource, such as the list of what is served."""
    about = request.get("objectRef")
    if about is None or "resource" not in about:
        return None
    resource = "/".join(filter(None, (about["resource"], about.get("subresource", ""))))
    return Permission(request["verb"], about.get("apiGroup", ""), resource)
