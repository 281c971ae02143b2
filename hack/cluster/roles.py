"""What a component that Kubernetes has no role for may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import api

if TYPE_CHECKING:
    from cluster.settings import Cluster

RBAC = "rbac.authorization.k8s.io"


def grant(cluster: Cluster, user: str, rules: list[api.Object]) -> None:
    """A ClusterRole with these rules, of the user's name, and a binding."""
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules}
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }
    api.apply(cluster, f"/apis/{RBAC}/v1/clusterroles/{user}", role)
    api.apply(cluster, f"/apis/{RBAC}/v1/clusterrolebindings/{user}", binding)
