"""A core/v1 Event about a FineTuneJob. Pure.

Not events.k8s.io/v1, which lets no time be set that `kubectl describe` sorts by: the story would be out of order.
"""

import hashlib
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_operator.chapter import Chapter
from finetune_operator.conditions import timestamp
from finetune_operator.labels import MANAGER
from finetune_operator.observed import Observed
from finetune_operator.story import ORDER

NOTE_LIMIT = 1000
"""The API takes 1024 bytes."""
NAME_STEM = 200


def build_event(observed: Observed, chapter: Chapter) -> dict[str, Any]:
    """Its name follows from what it tells, so that telling it again after a restart makes no second one.

    Names sort as the story goes: kubectl shows what happened within one second in the order of names.
    """
    told = f"{observed.uid}/{chapter.reason}/{chapter.which}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    place = f"{ORDER.index(chapter.reason):02}{chapter.place:02}"
    now = timestamp(observed.now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{observed.name[:NAME_STEM]}.{place}-{digest}",
            "namespace": observed.namespace,
        },
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": observed.namespace,
            "name": observed.name,
            "uid": observed.uid,
        },
        "type": chapter.kind,
        "reason": chapter.reason,
        "message": _clipped(chapter.note),
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def _clipped(note: str) -> str:
    raw = note.encode()
    return note if len(raw) <= NOTE_LIMIT else raw[: NOTE_LIMIT - 3].decode(errors="ignore") + "…"
