"""What people may do with FineTuneJobs who have one of the cluster's own roles in a namespace."""

import pytest

from cluster_access import until
from cluster_workspace import Workspace

AGGREGATION_SECONDS = 30
"""The controller manager adds up roles soon after they change."""
JOBS = "finetunejobs.finetune-operator.dev"
MAY = {
    "view": {"get": True, "list": True, "create": False, "delete": False},
    "edit": {"get": True, "watch": True, "create": True, "patch": True, "delete": True},
    "admin": {"get": True, "create": True, "delete": True},
}


def may(workspace: Workspace, who: str, *what: str) -> bool:
    arguments = ("kubectl", "-n", workspace.namespace, "auth", "can-i", *what, "--as", who)
    return workspace.cluster.attempt(*arguments).stdout.strip() == "yes"


@pytest.mark.parametrize("role", MAY)
def test_a_role_of_the_cluster_covers_the_jobs_of_its_namespace(workspace: Workspace, role: str) -> None:
    who = f"{role}er"
    workspace.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={who}")
    until(lambda: may(workspace, who, "get", JOBS), AGGREGATION_SECONDS, f"{role} may read jobs")
    assert {verb: may(workspace, who, verb, JOBS) for verb in MAY[role]} == MAY[role]
    assert not may(workspace, who, "patch", f"{JOBS}", "--subresource=status")
