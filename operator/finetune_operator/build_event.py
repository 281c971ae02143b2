"""An events.k8s.io/v1 Event about a FineTuneJob. Pure."""

import hashlib
from datetime import UTC
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_operator.conditions import clip
from finetune_operator.labels import MANAGER
from finetune_operator.observed import Observed
from finetune_operator.story import Chapter

NOTE_LIMIT = 1000
"""The API takes 1024 bytes."""
NAME_STEM = 200


def build_event(observed: Observed, chapter: Chapter, instance: str) -> dict[str, Any]:
    """Its name follows from what it tells, so that telling it again after a restart makes no second one."""
    told = f"{observed.uid}/{chapter.reason}/{chapter.which}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{observed.name[:NAME_STEM]}.{digest}", "namespace": observed.namespace},
        "eventTime": observed.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": chapter.kind,
        "reason": chapter.reason,
        "action": chapter.reason,
        "note": _clipped(chapter.note),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": observed.namespace,
            "name": observed.name,
            "uid": observed.uid,
        },
        "reportingController": f"{API_VERSION.partition('/')[0]}/{MANAGER}",
        "reportingInstance": clip(instance, 128),
    }


def _clipped(note: str) -> str:
    raw = note.encode()
    return note if len(raw) <= NOTE_LIMIT else raw[: NOTE_LIMIT - 3].decode(errors="ignore") + "…"
