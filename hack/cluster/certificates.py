"""Makes a cluster's certificates and the kubeconfigs that carry them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster import shell
from cluster.settings import CLUSTER_DOMAIN, Cluster

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
DAYS = "3650"
SERVICE_ACCOUNTS_KEY = "service-accounts.key"


@dataclass(frozen=True)
class Identity:
    """Who a certificate is for: RBAC knows its holder by the subject's CN and O."""

    file: str
    subject: str
    names: tuple[str, ...] = ()


def identities(cluster: Cluster) -> list[Identity]:
    service = [f"kubernetes{suffix}" for suffix in ("", ".default", ".default.svc", f".default.svc.{CLUSTER_DOMAIN}")]
    node = ("IP:" + cluster.node_ip, "DNS:" + cluster.node_name)
    own = ("IP:127.0.0.1", "DNS:localhost")
    return [
        Identity(
            "kube-apiserver",
            "/CN=kube-apiserver",
            (*node, *own, f"IP:{cluster.api_service_ip}", *(f"DNS:{name}" for name in service)),
        ),
        Identity("kubelet-server", f"/CN={cluster.node_name}", (*node, *own)),
        Identity("apiserver-kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
        Identity("front-proxy-client", "/CN=front-proxy-client"),
        Identity("admin", "/O=system:masters/CN=finetune-admin"),
        Identity("kubelet", f"/O=system:nodes/CN=system:node:{cluster.node_name}"),
        Identity("kube-controller-manager", "/CN=system:kube-controller-manager"),
        Identity("kube-scheduler", "/CN=system:kube-scheduler"),
        Identity("kube-proxy", "/CN=system:kube-proxy"),
        Identity("coredns", "/CN=finetune:coredns"),
        Identity("kwok", "/CN=finetune:kwok"),
    ]


def ensure(cluster: Cluster) -> None:
    """Make what isn't there yet; a certificate's file is written after its key's."""
    cluster.certs.mkdir(parents=True, exist_ok=True)
    cluster.certs.chmod(0o700)
    (cluster.certs / "openssl.cnf").write_text(CONFIG)
    if not (cluster.certs / "ca.crt").exists():
        _authority(cluster)
    if not (cluster.certs / SERVICE_ACCOUNTS_KEY).exists():
        shell.run("openssl", "genrsa", "-out", str(cluster.certs / SERVICE_ACCOUNTS_KEY), "2048")
    for identity in identities(cluster):
        if not (cluster.certs / f"{identity.file}.crt").exists():
            _certificate(cluster, identity)
    for holder in ("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "kwok"):
        _kubeconfig(cluster, holder, cluster.config / f"{holder}.kubeconfig")
    _kubeconfig(cluster, "admin", cluster.kubeconfig)


def _authority(cluster: Cluster) -> None:
    _openssl(
        cluster,
        "ca",
        f"/CN=finetune-{cluster.name}",
        "basicConstraints=critical,CA:TRUE",
        "keyUsage=critical,keyCertSign,cRLSign",
    )


def _certificate(cluster: Cluster, identity: Identity) -> None:
    names = [f"subjectAltName={','.join(identity.names)}"] if identity.names else []
    extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth", *names]
    _openssl(cluster, identity.file, identity.subject, *extensions, signed=True)


def _openssl(cluster: Cluster, file: str, subject: str, *extensions: str, signed: bool = False) -> None:
    certs = cluster.certs
    signer = ["-CA", str(certs / "ca.crt"), "-CAkey", str(certs / "ca.key")] if signed else []
    shell.run(
        *("openssl", "req", "-x509", "-config", str(certs / "openssl.cnf"), "-days", DAYS, "-nodes"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-subj", subject, "-keyout", str(certs / f"{file}.key"), "-out", str(certs / f"{file}.crt")),
        *(argument for extension in extensions for argument in ("-addext", extension)),
        *signer,
    )


def _kubeconfig(cluster: Cluster, holder: str, file: Path) -> None:
    def data(file: str) -> str:
        return base64.b64encode((cluster.certs / file).read_bytes()).decode()

    name = cluster.netns
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": cluster.server, "certificate-authority-data": data("ca.crt")}}
        ],
        "users": [
            {
                "name": holder,
                "user": {
                    "client-certificate-data": data(f"{holder}.crt"),
                    "client-key-data": data(f"{holder}.key"),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": holder}}],
        "current-context": name,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(content, indent=1))
