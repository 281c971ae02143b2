"""Gives the S3 server a name inside the cluster: http://s3.s3.svc:7070."""

from __future__ import annotations

from cluster import api
from cluster.settings import S3_PORT, Cluster

NAMESPACE = "s3"
SERVICE = "s3"


def ensure(cluster: Cluster) -> None:
    """A Service without a selector, whose one endpoint is the node's address."""
    path = f"/api/v1/namespaces/{NAMESPACE}"
    api.apply(cluster, path, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    api.apply(cluster, f"{path}/services/{SERVICE}", _service())
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
    api.apply(cluster, f"{slices}/{SERVICE}", _endpoints(cluster))


def _service() -> api.Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE},
        "spec": {"ports": [{"name": "http", "port": S3_PORT, "targetPort": S3_PORT, "protocol": "TCP"}]},
    }


def _endpoints(cluster: Cluster) -> api.Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": SERVICE, "labels": {"kubernetes.io/service-name": SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [cluster.node_ip], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": S3_PORT, "protocol": "TCP"}],
    }
