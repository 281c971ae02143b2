"""Scheduler, kubelet and what runs in a pod, in a few strokes, over the pods of one FineTuneJob."""

from typing import Any

from finetune_api.failures import EXIT_CODES, SIGTERM_EXIT, Reason
from finetune_api.messages import FailureMessage, TerminationMessage
from finetune_api.resource.progress import Progress
from finetune_operator.conditions import moment, timestamp
from finetune_operator.labels import KIND, STAGE
from simulated_api import ApiServer, Wire
from simulated_store import PASSES, STAGES, TUNING, Store, told
from wire_state import is_deleting, is_live, is_running


class Nodes:
    def __init__(self, api: ApiServer, store: Store) -> None:
        self.api = api
        self.store = store
        self.held_seconds = 0.0
        """How long pods that have ended held accelerators."""
        self.disrupted: set[str] = set()
        """UIDs of all pods that ever were disrupted."""

    @property
    def live_pods(self) -> list[Wire]:
        return [pod for pod in self.api.pods.values() if is_live(pod)]

    # scheduler and kubelet

    def run(self, pod: Wire) -> None:
        """It starts, on a node that it gets now or had before."""
        scheduled = [c for c in pod["status"].get("conditions", []) if c["status"] == "True"] or [self._scheduled()]
        running = [{"name": "runner", "state": {"running": {}}}]
        self._set(pod, phase="Running", podIP="10.0.0.7", conditions=scheduled, containerStatuses=running)

    def keep_waiting(self, pod: Wire, *, image: bool) -> None:
        """Its image can't be pulled, or no node has room for it."""
        full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes fit"}
        waiting = [{"name": "runner", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]
        self._set(pod, conditions=[self._scheduled() if image else full], containerStatuses=waiting if image else [])

    def _scheduled(self) -> Wire:
        return {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp(self.api.now)}

    def end(self, pod: Wire, code: int | None, text: str = "", because: str = "Error", **status: Any) -> None:
        if is_live(pod):
            self.held_seconds += self._held_by(pod)
        ended = {"exitCode": code, "message": text, "reason": because, "finishedAt": timestamp(self.api.now)}
        containers = [] if code is None else [{"name": "runner", "state": {"terminated": ended}}]
        self._set(pod, phase="Failed" if code != 0 else "Succeeded", containerStatuses=containers, **status)

    def disrupt(self, pod: Wire) -> None:
        """An eviction or preemption: the pod is deleted, and says so."""
        self.disrupted.add(pod["metadata"]["uid"])
        target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        conditions = [*pod["status"].get("conditions", []), target]
        self._set(pod, conditions=conditions)
        self.api.mark_deleted(self.api.pods, pod["metadata"]["name"])

    def terminate(self) -> None:
        """Pods that are being deleted end: what ran says that it was interrupted."""
        for pod in self.live_pods:
            if is_deleting(pod):
                text = self.store.word(self.kind_of(pod), told(Reason.INTERRUPTED)) if is_running(pod) else ""
                self.end(pod, SIGTERM_EXIT if is_running(pod) else None, text)

    def _set(self, pod: Wire, **status: Any) -> None:
        self.api.put(self.api.pods, {**pod, "status": {**pod["status"], **status}})

    # what runs in a pod

    def kind_of(self, pod: Wire) -> str:
        return str(pod["metadata"]["labels"][KIND])

    def stage_of(self, pod: Wire) -> int | None:
        stage = pod["metadata"]["labels"].get(STAGE)
        return None if stage is None else int(stage)

    def said_by(self, pod: Wire) -> tuple[Progress, TerminationMessage]:
        """Its /progress and /outcome while it runs."""
        stage = self.stage_of(pod) or 0
        index = self.store.next_of(stage)
        step = PASSES[STAGES[stage][-1] if index is None else index]
        kept = self.store.checkpoint if index == TUNING else 0
        progress = Progress.model_validate({"pass": step, "checkpointStep": kept or None})
        return progress, TerminationMessage.decode(self.store.word("stage"))

    def keep_checkpoint(self, pod: Wire) -> None:
        """Of the pass that it runs, where that keeps some."""
        if self.stage_of(pod) == 0 and self.store.next_of(0) == TUNING:
            self.store.keep()

    def commit(self, pod: Wire) -> None:
        """The stage's next pass, if its input is there."""
        stage = self.stage_of(pod)
        if stage is not None and self.store.missing_before(stage) is None:
            index = self.store.next_of(stage)
            if index is not None:
                self.store.commit(index)

    def finish(self, pod: Wire, *, publishes: bool = True) -> None:
        """All that is left of its work: as the runner does it, with the same ends."""
        stage, kind = self.stage_of(pod), self.kind_of(pod)
        if kind == "delete":
            self.store.published = publishes = False
        if stage is not None and (missing := self.store.missing_before(stage)) is not None:
            self.fail(pod, told(Reason.ARTIFACT_CORRUPT, missing, "spec.store.s3"))
            return
        for index in STAGES[stage] if stage is not None else ():
            self.store.commit(index)
        self.end(pod, 0, self.store.word(kind, publishes=publishes and self.store.complete), "Completed")

    def fail(self, pod: Wire, failure: FailureMessage) -> None:
        """It ends with a failure, and says so."""
        self.end(pod, EXIT_CODES[failure.reason], self.store.word(self.kind_of(pod), failure))

    # accounting

    def held(self) -> float:
        """Seconds times devices, of all pods until now."""
        return self.held_seconds + sum(self._held_by(pod) for pod in self.live_pods)

    def _held_by(self, pod: Wire) -> float:
        """Stage 0 is on the system with an accelerator."""
        conditions = pod["status"].get("conditions", [])
        since = [c["lastTransitionTime"] for c in conditions if c.get("status") == "True" and "lastTransitionTime" in c]
        return (self.api.now - moment(since[0])).total_seconds() if since and self.stage_of(pod) == 0 else 0
