"""What the operator asked the API server for, by the API server's audit log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster_access import Cluster
from cluster_setup import OPERATOR_NAMESPACE, RELEASE

Json = dict[str, Any]
USER = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{RELEASE}"


@dataclass(frozen=True, order=True)
class Permission:
    verb: str
    group: str
    resource: str


def audited(cluster: Cluster) -> Iterator[Json]:
    """The operator's requests, oldest first."""
    logs = sorted(Path(cluster.environment["LOGS"]).glob("audit*.log"), key=lambda log: log.stat().st_mtime)
    for log in logs:
        for line in log.read_text(encoding="utf-8").splitlines():
            if f'"{USER}"' in line:
                yield json.loads(line)


def asked_for(request: Json) -> Permission | None:
    """What a request needs; None for one that is about no resource, such as the list of what is served."""
    about = request.get("objectRef")
    if about is None or "resource" not in about:
        return None
    resource = "/".join(filter(None, (about["resource"], about.get("subresource", ""))))
    return Permission(request["verb"], about.get("apiGroup", ""), resource)
