"""From time to time every unfinished job is looked at again, should an event have been lost."""

import asyncio
import logging

from finetune_operator.kube import Kube, KubeError
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.metrics.jobs import JobBook
from finetune_operator.observe import Key
from finetune_operator.shell import is_done
from finetune_operator.vitals import Vitals
from finetune_operator.work_queue import WorkQueue

logger = logging.getLogger(__name__)


async def resync(
    kube: Kube,
    queue: WorkQueue[Key],
    metrics: Metrics,
    vitals: Vitals,
    *,
    namespaces: tuple[str, ...],
    seconds: float,
) -> None:
    """For ever; a round that fails is made up for by the next."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await enqueue_unfinished(kube, queue, metrics, namespaces)
        except KubeError as error:
            vitals.unanswered()
            logger.warning("resync: %s", error)
        else:
            vitals.answered()


async def enqueue_unfinished(kube: Kube, queue: WorkQueue[Key], metrics: Metrics, namespaces: tuple[str, ...]) -> None:
    listed = JobBook()
    for namespace in namespaces or (None,):
        async for job in kube.list_fine_tune_jobs(namespace):
            listed.see(job)
            if not is_done(job):
                queue.add((job["metadata"]["namespace"], job["metadata"]["name"]))
    metrics.listed(listed)
