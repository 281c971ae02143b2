"""Labels and annotations on what the operator makes: how children are found and led back to their job."""

import hashlib
import re
from collections.abc import Mapping

from finetune_api import GROUP

MANAGER = "finetune-operator"
"""Field manager of status, managed-by of children, reporting controller of events."""

MANAGED_BY = "app.kubernetes.io/managed-by"
SELECTOR = f"{MANAGED_BY}={MANAGER}"
"""What the operator watches of Jobs and Pods."""

JOB_NAME = f"{GROUP}/job-name"
"""Label: the FineTuneJob's name, shortened where it is longer than a label may be. Annotation: the full name."""
JOB_UID = f"{GROUP}/job-uid"
KIND = f"{GROUP}/kind"
"""prepare, stage or delete."""
STAGE = f"{GROUP}/stage"
"""Index of the stage in the plan."""
ATTEMPT = f"{GROUP}/attempt"
"""The prepare attempt that a child belongs to."""
DELETION = f"{GROUP}/deletion"
"""Annotation of the pod that deletes: what, a DeletionDocument."""
RUNNER_IMAGE = f"{GROUP}/runner-image"
"""Annotation of the job's ConfigMap: the default runner image when the job was accepted."""

FINALIZER = f"{GROUP}/artifact-deletion"
"""Of a FineTuneJob whose artifact is to go with it, and of no other."""

QUEUE_NAME = "kueue.x-k8s.io/queue-name"
"""Kueue's, of a Job: the LocalQueue that it waits in."""
QUEUE_PRIORITY = "kueue.x-k8s.io/priority-class"
"""Kueue's, of a Job: its WorkloadPriorityClass."""
QUEUED_JOB_UID = "kueue.x-k8s.io/job-uid"
"""Kueue's, of a Workload: the Job that it stands for."""

LABEL_LIMIT = 63


def label_value(text: str) -> str:
    """The text where it is a valid label value, else its beginning and a digest."""
    if len(text) <= LABEL_LIMIT and re.fullmatch(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?", text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    stem = re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-")[: LABEL_LIMIT - len(digest) - 1]
    return f"{stem}-{digest}".lstrip("-")


def of_job(name: str, uid: str, component: str) -> dict[str, str]:
    """Labels of everything that belongs to a FineTuneJob."""
    return {
        "app.kubernetes.io/name": "finetune-job",
        "app.kubernetes.io/instance": label_value(name),
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": MANAGER,
        MANAGED_BY: MANAGER,
        JOB_NAME: label_value(name),
        JOB_UID: uid,
    }


def owner_name(annotations: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> str:
    """The FineTuneJob's name that a child carries; empty where it carries none."""
    return (annotations or {}).get(JOB_NAME) or (labels or {}).get(JOB_NAME, "")
