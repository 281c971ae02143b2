"""kwok, where a cluster is to have simulated nodes: the kubelet of nodes that have no machine.

Its own stages have a node be ready and a pod run and go; how a pod ends is told here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cluster import api, binaries, options, roles, settings, shell
from cluster.components.component import Component

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.settings import Cluster

PORT = 10247
NODES = "type=kwok"
"""Label of the nodes it sees to."""
POD_CIDR = "10.214.0.0/16"
USER = "finetune:kwok"
RULES = [
    {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["nodes/status", "pods/status"], "verbs": ["patch", "update"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete", "patch", "update"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "patch", "update"]},
    {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch", "update"]},
]
OWN_STAGES = ("node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-delete")

LAST_WORD = "finetune.local/termination-message"
"""Annotation of a pod: once it has it, its containers end well, with this as their termination message."""
ENDED = f"""\
{{{{ $root := . }}}}
{{{{ $now := Now }}}}
phase: Succeeded
conditions:
{{{{ range $type := list "Ready" "ContainersReady" }}}}
- type: {{{{ $type }}}}
  status: "False"
  reason: PodCompleted
  lastTransitionTime: {{{{ $now | Quote }}}}
{{{{ end }}}}
containerStatuses:
{{{{ range .status.containerStatuses }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  ready: false
  restartCount: 0
  state:
    running: null
    terminated:
      exitCode: 0
      reason: Completed
      message: {{{{ index $root.metadata.annotations "{LAST_WORD}" | Quote }}}}
      startedAt: {{{{ .state.running.startedAt | Quote }}}}
      finishedAt: {{{{ $now | Quote }}}}
{{{{ end }}}}
"""
END = {
    "apiVersion": "kwok.x-k8s.io/v1alpha1",
    "kind": "Stage",
    "metadata": {"name": "pod-end"},
    "spec": {
        "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
        "selector": {
            "matchExpressions": [
                {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                {"key": ".status.phase", "operator": "In", "values": ["Running"]},
                {"key": f'.metadata.annotations["{LAST_WORD}"]', "operator": "Exists"},
            ]
        },
        "next": {"statusTemplate": ENDED},
    },
}


def wanted(cluster: Cluster) -> bool:
    return options.load(cluster.root).kwok_nodes > 0


def prepare(cluster: Cluster) -> None:
    stages = binaries.module_folder(binaries.KWOK_MODULE, settings.KWOK_VERSION) / "kustomize/stage"
    documents = [*((stages / f"{name}.yaml").read_text() for name in OWN_STAGES), json.dumps(END)]
    _config(cluster).write_text("\n---\n".join(documents))
    roles.grant(cluster, USER, RULES)
    # Who connects to such a pod is refused at once, as nothing listens there, instead of waiting for an answer.
    shell.run("ip", "-netns", cluster.netns, "route", "replace", "local", POD_CIDR, "dev", "lo")


def command(cluster: Cluster) -> list[str]:
    return [
        str(binaries.path("kwok")),
        f"--config={_config(cluster)}",
        f"--kubeconfig={cluster.config / 'kwok.kubeconfig'}",
        f"--manage-nodes-with-label-selector={NODES}",
        f"--cidr={POD_CIDR}",
        f"--server-address={cluster.node_ip}:{PORT}",
        "--node-lease-duration-seconds=40",
    ]


def ready(cluster: Cluster) -> bool:
    return api.answers(cluster, PORT, "/healthz", tls=False)


def _config(cluster: Cluster) -> Path:
    return cluster.config / "kwok.yaml"


KWOK = Component(name="kwok", command=command, ready=ready, prepare=prepare, wanted=wanted)
