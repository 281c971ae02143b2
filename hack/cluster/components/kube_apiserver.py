"""The API server."""

from __future__ import annotations

import json

from cluster import api, binaries, options
from cluster.components import etcd
from cluster.components.component import Component
from cluster.settings import API_PORT, CLUSTER_DOMAIN, Cluster

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def prepare(cluster: Cluster) -> None:
    (cluster.config / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))


def command(cluster: Cluster) -> list[str]:
    certs = cluster.certs
    return [
        str(binaries.path("kube-apiserver")),
        f"--etcd-servers={etcd.CLIENT}",
        # Every address of the cluster's own network, which only this machine reaches.
        "--bind-address=0.0.0.0",
        f"--advertise-address={cluster.node_ip}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={cluster.service_cidr}",
        f"--tls-cert-file={certs / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={certs / 'kube-apiserver.key'}",
        f"--client-ca-file={certs / 'ca.crt'}",
        f"--service-account-key-file={certs / 'service-accounts.key'}",
        f"--service-account-signing-key-file={certs / 'service-accounts.key'}",
        f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # How logs, exec and port-forward find the kubelet.
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={certs / 'ca.crt'}",
        f"--kubelet-client-certificate={certs / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={certs / 'apiserver-kubelet-client.key'}",
        # How other API servers and the components' own ports learn who asks.
        f"--requestheader-client-ca-file={certs / 'ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={certs / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={certs / 'front-proxy-client.key'}",
        *_audit(cluster),
    ]


def _audit(cluster: Cluster) -> list[str]:
    if not options.load(cluster.root).audit:
        return []
    return [
        f"--audit-policy-file={cluster.config / 'audit-policy.json'}",
        f"--audit-log-path={cluster.logs / 'audit.log'}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=2",
    ]


KUBE_APISERVER = Component(
    name="kube-apiserver",
    command=command,
    ready=api.ready,
    prepare=prepare,
    aliases=("apiserver",),
    # It would wait a minute for its clients' watches to end; what it was told is in etcd.
    stop_seconds=2,
)
