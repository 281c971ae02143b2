"""What a failed test shows: the story as the cluster tells it."""

from cluster_access import Cluster
from cluster_kwok import NODE
from cluster_setup import OPERATOR_LABEL, OPERATOR_NAMESPACE
from cluster_workspace import Workspace

TAIL = "60"


def of_workspace(workspace: Workspace) -> dict[str, str]:
    """Title to text: jobs and pods, what happened to them, the end of their logs."""
    cluster, namespace = workspace.cluster, ("-n", workspace.namespace)
    # Of those on the simulated node there is nothing to tell, and there may be many.
    real = ("pods", "--field-selector", f"spec.nodeName!={NODE}")
    sections = {
        "objects": _say(cluster, *namespace, "get", "ftj,jobs,pods", "-o", "wide"),
        "jobs described": _say(cluster, *namespace, "describe", "ftj"),
        "pods described": _say(cluster, *namespace, "describe", *real),
    }
    pods = _say(cluster, *namespace, "get", *real, "-o", "name").split()
    logs = {f"log of {pod}": _say(cluster, *namespace, "logs", "--tail", TAIL, pod) for pod in pods}
    return sections | logs


def of_operator(cluster: Cluster) -> dict[str, str]:
    namespace = ("-n", OPERATOR_NAMESPACE)
    return {
        "operator": _say(cluster, *namespace, "get", "pods", "-o", "wide"),
        "operator's log": _say(cluster, *namespace, "logs", "--tail", TAIL, "-l", OPERATOR_LABEL),
    }


def _say(cluster: Cluster, *arguments: str) -> str:
    """What kubectl says, be it an error: a diagnosis must not fail."""
    done = cluster.attempt("kubectl", *arguments)
    return done.stdout + done.stderr
