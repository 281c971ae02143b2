"""The ConfigMap that fixes a job's effective spec at acceptance. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_api.messages import JobDocument
from finetune_operator import labels
from finetune_operator.names import config_map_name

JOB_KEY = "job.json"


def build_config_map(document: JobDocument, runner_image: str) -> dict[str, Any]:
    """An immutable ConfigMap: an upgrade of the operator never changes a job that was accepted before."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(document.name, document.uid),
            "namespace": document.namespace,
            "labels": labels.of_job(document.name, document.uid, "job"),
            "annotations": {labels.JOB_NAME: document.name, labels.RUNNER_IMAGE: runner_image},
            "ownerReferences": [owner_reference(document.name, document.uid)],
        },
        "immutable": True,
        "data": {JOB_KEY: document.model_dump_json(by_alias=True, exclude_none=True)},
    }


def digest_of_document(config_map: Mapping[str, Any]) -> str:
    """sha256 (hex) of the document in a job's ConfigMap; empty where it has none."""
    text = (config_map.get("data") or {}).get(JOB_KEY)
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def owner_reference(name: str, uid: str) -> dict[str, Any]:
    """The reference by which a child belongs to its FineTuneJob, and goes when it goes."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
