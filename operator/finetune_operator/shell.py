"""kopf as the shell: watch streams that put keys on the queue, and nothing else. No finalizers, no annotations."""

import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any

import kopf

from finetune_api import API_VERSION, KIND, PLURAL
from finetune_api.resource.status import TERMINAL
from finetune_operator import labels
from finetune_operator.logins import Logins
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.observe import Key
from finetune_operator.settings import Settings

SERVER_TIMEOUT_SECONDS = 300
CONNECT_TIMEOUT_SECONDS = 10
SILENCE_SECONDS = 70
"""After which a watch is begun anew: the API server sends a bookmark a minute at least."""
PAGE = 500
WATCHED = (PLURAL, "jobs", "pods")
DELETED = "DELETED"
"""What the API server calls an event about an object that is gone."""


class Patience:
    """Delays between tries of a request, in seconds, without end: an operator waits for its API server."""

    def __iter__(self) -> Iterator[float]:
        return chain((1, 1, 2, 3, 5, 8), repeat(10))


def build_registry(add: Callable[[Key], None], metrics: Metrics, logins: Logins) -> Any:
    """The handlers: each event becomes the key of the FineTuneJob that it is about, and is counted."""

    async def on_fine_tune_job(body: Mapping[str, Any], type: str | None, **_: Any) -> None:  # noqa: A002 - kopf's name
        metrics.heard(KIND)
        if type == DELETED:
            metrics.jobs.forget(body)
        else:
            metrics.jobs.see(body)
        if not is_done(body):
            add((body["metadata"]["namespace"], body["metadata"]["name"]))

    async def on_child(body: Mapping[str, Any], **_: Any) -> None:
        metrics.heard(body["kind"])
        if key := key_of_child(body):
            add(key)

    registry = kopf.OperatorRegistry()
    group, version = API_VERSION.split("/")
    kopf.on.login(registry=registry)(logins.another)
    kopf.on.event(group, version, PLURAL, registry=registry)(on_fine_tune_job)
    kopf.on.event("batch", "v1", "jobs", registry=registry, id="job")(on_child)
    kopf.on.event("", "v1", "pods", registry=registry, id="pod")(on_child)
    return registry


def build_settings(settings: Settings) -> Any:
    """The settings of kopf: nothing written, streams that can't hang, children filtered by the server."""
    shell = kopf.OperatorSettings()
    shell.posting.enabled = False
    shell.scanning.disabled = True
    shell.watching.server_timeout = max(1, int(min(SERVER_TIMEOUT_SECONDS, settings.watch_seconds / 2)))
    shell.watching.connect_timeout = CONNECT_TIMEOUT_SECONDS
    shell.watching.inactivity_timeout = SILENCE_SECONDS
    shell.watching.chunk_size = PAGE
    shell.watching.label_selectors["batch", "v1", "jobs"] = labels.SELECTOR
    shell.watching.label_selectors["", "v1", "pods"] = labels.SELECTOR
    shell.networking.request_timeout = 30
    shell.networking.error_backoffs = Patience()
    shell.process.ultimate_exiting_timeout = None
    logging.getLogger("kopf").setLevel(settings.log_level.upper() if settings.log_level != "info" else "WARNING")
    return shell


def is_done(body: Mapping[str, Any]) -> bool:
    """Whether a job has ended and its newest spec was seen; its children's events are enough to keep it so."""
    status, meta = body.get("status") or {}, body.get("metadata") or {}
    if "deletionTimestamp" in meta and labels.FINALIZER in (meta.get("finalizers") or ()):
        return False
    ended = any(c.get("type") in TERMINAL and c.get("status") == "True" for c in status.get("conditions") or [])
    return ended and status.get("observedGeneration") == meta.get("generation")


def key_of_child(body: Mapping[str, Any]) -> Key | None:
    """Key of the FineTuneJob that a Job or Pod belongs to."""
    meta = body["metadata"]
    owners = meta.get("ownerReferences") or []
    owner = next((o["name"] for o in owners if o.get("controller") and o.get("kind") == KIND), "")
    name = owner or labels.owner_name(meta.get("annotations"), meta.get("labels"))
    return (meta["namespace"], name) if name else None
