"""Reconcile: observe → decide → act → one status write."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from finetune_api.failures import Reason
from finetune_api.resource.status import ConditionType, FailureStatus
from finetune_operator.chapter import Chapter
from finetune_operator.conditions import clip
from finetune_operator.decide import decide, ended
from finetune_operator.decide.deletion import is_late, let_go
from finetune_operator.decide.retention import seconds_kept
from finetune_operator.decide.summary import waiting_for
from finetune_operator.decision import Action, CreateConfigMap, CreateJob, Decision, SetFinalizers
from finetune_operator.kube import AlreadyExists, Conflict, Invalid, Kube, KubeError, NamespaceTerminating, Refused
from finetune_operator.leadership import Leadership
from finetune_operator.manifests.config_map import digest_of_document
from finetune_operator.manifests.event import build_event
from finetune_operator.metrics.change import change
from finetune_operator.metrics.instruments import Metrics, RoundError
from finetune_operator.observe import Clock, Key, observe
from finetune_operator.observe.children import controller_uid, is_deletion_of
from finetune_operator.observed import Observed, Pod
from finetune_operator.progress import ProgressWatch
from finetune_operator.settings import Settings
from finetune_operator.status_patch import status_patch
from finetune_operator.story import story
from finetune_operator.vitals import Vitals
from finetune_operator.work_queue import WorkQueue

REFUSED_RETRY_SECONDS = 30
INDEPENDENT = ("start_time", "runner_image", "document_digest", "accelerator_seconds", "counted_pod", "disruptions")
"""Fields of status that hold whether a child could be made or not."""
INDEPENDENT_CONDITIONS = (ConditionType.ACCEPTED, ConditionType.SUSPENDED)
logger = logging.getLogger(__name__)


class Worker:
    def __init__(
        self,
        kube: Kube,
        settings: Settings,
        queue: WorkQueue[Key],
        progress: ProgressWatch[Key],
        leadership: Leadership,
        *,
        metrics: Metrics,
        vitals: Vitals,
        clock: Clock,
    ) -> None:
        self._kube = kube
        self._settings = settings
        self._queue = queue
        self._progress = progress
        self._leadership = leadership
        self._metrics = metrics
        self._vitals = vitals
        self._clock = clock

    async def run(self) -> None:
        """Takes key after key while it leads, for ever. What fails for one key is tried again and stops no other."""
        while True:
            key = await self._queue.take()
            await self._leadership.wait()
            try:
                with self._metrics.round_seconds.time(), self._vitals.round(key):
                    again_after = await self.reconcile(key)
            except (Conflict, AlreadyExists):
                self._metrics.repeated(RoundError.CONFLICT)
                self._queue.done(key, again_after=0)
            except KubeError as error:
                self._metrics.repeated(RoundError.API)
                logger.warning("%s/%s: %s; again in %.1f s", *key, error, self._queue.failed(key))
            except Exception:  # the boundary between jobs: a fault in one, told and retried, stops no other
                self._metrics.repeated(RoundError.FAULT)
                logger.exception("%s/%s: a fault; again in %.1f s", *key, self._queue.failed(key))
            else:
                self._queue.done(key, again_after)

    async def reconcile(self, key: Key) -> float | None:
        """One round for one job; in how many seconds to look again, or None.

        Raises:
            KubeError: the round must be repeated.
        """
        readings = self._progress.readings(key)
        observed = await observe(self._kube, key, readings, kueue=self._settings.kueue, clock=self._clock)
        if observed is None:
            self._progress.watch(key, None)
            return None
        decision = decide(observed, self._settings)
        decision = await self._act(observed, decision)
        await self._tell(observed, story(observed.status, decision.status))
        await self._write_status(observed, decision)
        self._progress.watch(key, running_pod(observed))
        return decision.requeue_seconds

    async def _act(self, observed: Observed, decision: Decision) -> Decision:
        """Carries the actions out; what the API server refuses changes the decision."""
        await self._tell(observed, decision.chapters)
        for action in decision.actions:
            try:
                await self._carry_out(observed, action)
            except (Invalid, Refused, Taken) as error:
                if observed.deleting:
                    return await self._not_deleted(observed, action, error)
                if isinstance(error, Invalid):
                    return rejected(observed, decision, error)
                return held_up(observed, decision, error)
        return decision

    async def _not_deleted(self, observed: Observed, action: Action, error: "Invalid | Refused | Taken") -> Decision:
        """Of a job that is being deleted: what can't be removed now is tried again, or left where it never can be.

        Raises:
            KubeError: it is not even let go.
        """
        never = isinstance(error, Invalid | NamespaceTerminating) or is_late(observed, self._settings)
        if isinstance(action, CreateJob) and never:
            return await self._act(observed, let_go(observed, self._settings, error.message))
        if isinstance(error, KubeError) and not isinstance(action, CreateJob):
            raise error
        logger.warning("%s/%s: %s; again in %d s", *_key(observed), error, REFUSED_RETRY_SECONDS)
        return Decision(observed.status, requeue_seconds=REFUSED_RETRY_SECONDS)

    async def _carry_out(self, observed: Observed, action: Action) -> None:
        logger.info("%s/%s: %s", observed.namespace, observed.name, describe(action))
        if isinstance(action, CreateConfigMap):
            await self._create_config_map(observed, action)
        elif isinstance(action, CreateJob):
            await self._create_job(observed, action)
        elif isinstance(action, SetFinalizers):
            await self._kube.set_finalizers(*_key(observed), observed.resource_version, action.finalizers)
        else:
            await self._kube.delete_job(observed.namespace, action.name, action.uid)

    async def _create_config_map(self, observed: Observed, action: CreateConfigMap) -> None:
        """One of ours that is there already was made by another operator since we looked: look again."""
        name = action.manifest["metadata"]["name"]
        try:
            await self._kube.create_config_map(action.manifest)
        except AlreadyExists:
            found = await self._kube.get_config_map(observed.namespace, name)
            require_ours(observed, "ConfigMap", name, found)
            require_same_document(action.manifest, name, found)
            raise

    async def _create_job(self, observed: Observed, action: CreateJob) -> None:
        try:
            await self._kube.create_job(action.manifest)
        except AlreadyExists:
            require_ours(observed, "Job", action.name, await self._kube.find_job(observed.namespace, action.name))
            logger.info("Job %s is there already", action.name)

    async def _tell(self, observed: Observed, chapters: Iterable[Chapter]) -> None:
        """Events before what they tell is final: lost in between they are told again, and by their names only once."""
        for chapter in chapters:
            try:
                await self._kube.create_event(build_event(observed, chapter))
            except AlreadyExists:
                continue
            except (Refused, Invalid) as error:
                logger.warning("event %s of %s/%s: %s", chapter.reason, observed.namespace, observed.name, error)

    async def _write_status(self, observed: Observed, decision: Decision) -> None:
        if decision.status != observed.status:
            await self._kube.apply_status(status_patch(observed, decision.status))
            self._metrics.wrote(observed.namespace, change(observed.status, decision.status, observed.now))


class Taken(Exception):  # noqa: N818 - as Refused
    """A child's name is taken by an object that isn't the job's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def require_ours(observed: Observed, kind: str, name: str, found: Mapping[str, Any] | None) -> None:
    """Nothing of somebody else's is used or touched; the Job that deletes has no owner.

    Raises:
        Taken: what has the name is not the job's.
    """
    if found is not None and controller_uid(found) != observed.uid and not is_deletion_of(observed.uid, found):
        raise Taken(f"{kind} {name} is there and does not belong to this job: remove it, and the job goes on")


def require_same_document(wanted: Mapping[str, Any], name: str, found: Mapping[str, Any] | None) -> None:
    """What a job was accepted as is what the operator wrote, and not what somebody put there.

    Raises:
        Taken: it says something else.
    """
    if found is not None and digest_of_document(found) != digest_of_document(wanted):
        raise Taken(
            f"ConfigMap {name} is there and is not what the job was accepted as: remove it, and the job goes on"
        )


def _key(observed: Observed) -> Key:
    return observed.namespace, observed.name


def running_pod(observed: Observed) -> Pod | None:
    """The pod whose progress is to be read; that of prepare has some while it waits for another job."""
    if observed.status.terminal:
        return None
    return next((c.current_pod for c in observed.live_children if c.current_pod), None)


def describe(action: Action) -> str:
    if isinstance(action, CreateConfigMap):
        return f"create ConfigMap {action.manifest['metadata']['name']}"
    if isinstance(action, SetFinalizers):
        return f"set finalizers {list(action.finalizers)}"
    return f"{'create' if isinstance(action, CreateJob) else 'delete'} Job {action.name}"


def rejected(observed: Observed, decision: Decision, error: Invalid) -> Decision:
    """The API server takes a child for invalid: no later round can change that, so the job fails."""
    failure = FailureStatus(
        reason=Reason.INVALID_SPEC,
        message=clip(f"the API server rejects what the spec asks for: {error.message}"),
        remedy="correct the manifest and apply it as a new FineTuneJob",
    )
    status = ended(observed, decision.status, failure)
    return Decision(status, requeue_seconds=seconds_kept(observed, status))


def held_up(observed: Observed, decision: Decision, error: Refused | Taken) -> Decision:
    """A child can't be made now, by quota, admission or its name: say so, keep what was, and try again.

    What does not hang on the child holds all the same: since when it is accepted, from which its deadline counts,
    whether it is suspended, and what its pods have used.
    """
    before, after = observed.status, decision.status
    said = [condition for condition in after.conditions if condition.type in INDEPENDENT_CONDITIONS]
    kept = [condition for condition in before.conditions if condition.type not in INDEPENDENT_CONDITIONS]
    changes = {name: getattr(after, name) for name in INDEPENDENT} | {"conditions": [*said, *kept]}
    status = waiting_for(before.model_copy(update=changes), observed, type(error).__name__, error.message)
    retry = min(REFUSED_RETRY_SECONDS, decision.requeue_seconds or REFUSED_RETRY_SECONDS)
    return Decision(status, requeue_seconds=retry)
