"""Reads what Kueue says of a Job that waits in a queue. It only explains: what can't be read stops nothing."""

import asyncio
import logging
from typing import Any

from finetune_operator.kube import KUEUE_NEWER, KUEUE_OLDER, Kube, KubeError, NotFound
from finetune_operator.observe.queueing import read_queueing
from finetune_operator.observed import Queueing

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5
"""It only explains, so a worker does not wait for it."""
ABSENT = f"the API server knows no Kueue, in version {KUEUE_NEWER} or {KUEUE_OLDER}"


async def observe_queue(kube: Kube, namespace: str, job_uid: str, queue: str) -> Queueing:
    """What Kueue says of one Job, and if it can't be read, why not."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _read(kube, namespace, job_uid, queue)
    except TimeoutError:
        return Queueing(unreadable=f"no answer in {PATIENCE_SECONDS} seconds")
    except NotFound:
        return Queueing(unreadable=ABSENT)
    except KubeError as error:
        return Queueing(unreadable=error.message or str(error))


async def _read(kube: Kube, namespace: str, job_uid: str, queue: str) -> Queueing:
    workloads = await kube.list_workloads_of(namespace, job_uid)
    return read_queueing(workloads, await _local_queue(kube, namespace, queue), await _pending(kube, namespace, queue))


async def _local_queue(kube: Kube, namespace: str, queue: str) -> dict[str, Any] | None:
    try:
        return await kube.get_local_queue(namespace, queue)
    except KubeError as error:
        logger.debug("local queue %s/%s: %s", namespace, queue, error)
        return None


async def _pending(kube: Kube, namespace: str, queue: str) -> dict[str, Any] | None:
    """None also where Kueue's visibility API is switched off."""
    try:
        return await kube.get_pending_workloads(namespace, queue)
    except KubeError as error:
        logger.debug("who waits in %s/%s: %s", namespace, queue, error)
        return None
