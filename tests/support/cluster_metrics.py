"""What an operator in the cluster tells Prometheus, read as Prometheus would."""

from prometheus_client.parser import text_string_to_metric_families

import cluster_operator as operator
from cluster_access import Cluster
from cluster_setup import OPERATOR_NAMESPACE

PORT = 8080


class Figures:
    """One scrape of the operator that leads."""

    def __init__(self, cluster: Cluster) -> None:
        pod = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{operator.leader(cluster)}:{PORT}"
        text = cluster.kubectl("get", "--raw", f"{pod}/proxy/metrics")
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        """Of the series with exactly these labels; None where there is none."""
        full = f"finetune_operator_{name}"
        return next((s.value for s in self._samples if (s.name, s.labels) == (full, labels)), None)
