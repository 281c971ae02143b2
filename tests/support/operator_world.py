"""A world for the operator's pure core: what an API server would hold, and what cluster and pods do to it.

Jobs, Pods and the ConfigMap are kept as the API server's JSON, so that reading them is tested too; decisions are
carried out on them at once.
"""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from api_specs import wire_spec
from finetune_api.resource.status import FineTuneJobStatus, PassState, PassStatus
from finetune_operator.chapter import Chapter
from finetune_operator.conditions import timestamp
from finetune_operator.decide import decide
from finetune_operator.decision import Action, CreateConfigMap, CreateJob, Decision, SetFinalizers
from finetune_operator.labels import ATTEMPT, KIND, STAGE
from finetune_operator.observe import observed, with_queueing, with_warnings
from finetune_operator.observe.status import read_status
from finetune_operator.observed import Child, Observed, Queueing, Reading
from finetune_operator.settings import Settings
from finetune_operator.status_patch import status_patch, with_kept
from finetune_operator.story import story
from runner_words import message

START = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
UID = "0f7c7a36-6c0e-4a4b-8f0e-2f1d3c5b7a99"
ZEROS = "sha256:" + "0" * 64
SETTINGS = Settings(operator_image="registry.test/operator:1", runner_image="registry.test/runner:1")


@dataclass
class World:
    """One FineTuneJob and all around it. Three passes on two systems (gpu, cpu), unless told otherwise."""

    spec: dict[str, Any] = field(default_factory=wire_spec)
    name: str = "tone"
    settings: Settings = SETTINGS
    status: FineTuneJobStatus = field(default_factory=FineTuneJobStatus)
    kept: dict[str, Any] = field(default_factory=dict)
    """Parts of the status that the operator can't read."""
    now: datetime = START
    config_map: dict[str, Any] | None = None
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    committed: set[int] = field(default_factory=set)
    """Indices of the passes whose outputs are in the store."""
    readings: tuple[Reading, ...] = ()
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By the UID of what they are about."""
    queueing: dict[str, Queueing] = field(default_factory=dict)
    """What Kueue says, by the Job's UID."""
    generation: int = 1
    finalizers: tuple[str, ...] = ()
    deleted_at: str = ""
    chapters: list[Chapter] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    """Names of all Jobs that were ever asked for."""

    # what the operator does

    def observe(self) -> Observed:
        meta = {
            "namespace": "team",
            "name": self.name,
            "uid": UID,
            "resourceVersion": "7",
            "generation": self.generation,
            "finalizers": list(self.finalizers),
            **({"deletionTimestamp": self.deleted_at} if self.deleted_at else {}),
        }
        wire = {"metadata": meta, "spec": self.spec, "status": self.stored}
        jobs, pods = list(self.jobs.values()), list(self.pods.values())
        seen = observed(wire, self.config_map, jobs, pods, readings=self.readings, now=self.now)
        return with_queueing(with_warnings(seen, self.events), self.queueing)

    def decide(self) -> Decision:
        return decide(self.observe(), self.settings)

    def round(self) -> Decision:
        """One round: the decision carried out, its status written and read back."""
        seen = self.observe()
        decision = decide(seen, self.settings)
        for action in decision.actions:
            self._carry_out(action)
        self.chapters += (*decision.chapters, *story(seen.status, decision.status))
        self.store(status_patch(seen, decision.status)["status"])
        return decision

    def rounds(self, count: int = 3) -> "World":
        for _ in range(count):
            self.round()
        return self

    @property
    def stored(self) -> dict[str, Any]:
        """The status as the API server has it."""
        return with_kept(self.status.to_wire(), self.kept)

    def store(self, status: dict[str, Any]) -> None:
        """Somebody has written the status."""
        read = read_status(status)
        self.status, self.kept = read.status, dict(read.kept)

    def restart_with(self, settings: Settings) -> None:
        """The operator is another one now: all it knew is what lies in the world."""
        self.settings = settings

    def _carry_out(self, action: Action) -> None:
        if isinstance(action, CreateConfigMap):
            self.config_map = deepcopy(action.manifest)
        elif isinstance(action, SetFinalizers):
            self.finalizers = action.finalizers
        elif isinstance(action, CreateJob):
            self._create(action)
        else:
            self.jobs[action.name]["metadata"]["deletionTimestamp"] = timestamp(self.now)

    def _create(self, action: CreateJob) -> None:
        if action.name in self.jobs:
            return
        job = json.loads(json.dumps(action.manifest))
        job["metadata"]["creationTimestamp"] = timestamp(self.now)
        job["metadata"]["uid"] = f"uid-of-{action.name}-{len(self.created)}"
        job["status"] = {"startTime": timestamp(self.now)}
        self.jobs[action.name] = job
        self.created.append(action.name)

    # what cluster and pods do

    @property
    def live(self) -> list[Child]:
        return list(self.observe().live_children)

    @property
    def only(self) -> Child:
        (child,) = self.live
        return child

    def pass_named(self, name: str) -> PassStatus:
        return next(step for step in self.status.passes if step.name == name)

    def start_pod(self, child: Child, *, running: bool = True, **state: Any) -> str:
        """A pod of the child; its name."""
        name = f"{child.name}-{len(self.pods)}"
        owner = {"kind": "Job", "name": child.name, "uid": child.uid, "controller": True}
        self.pods[name] = {
            "metadata": {"name": name, "uid": f"uid-of-{name}", "ownerReferences": [owner]},
            "status": {
                "phase": "Running" if running else "Pending",
                "podIP": "10.0.0.7",
                "containerStatuses": [{"name": "runner", "state": {"running": {}} if running else {}}],
                **state,
            },
        }
        return name

    def warn(self, uid: str, reason: str, text: str) -> None:
        """A warning event about an object, said now."""
        said = {"type": "Warning", "reason": reason, "message": text, "lastTimestamp": timestamp(self.now)}
        self.events.setdefault(uid, []).append(said)

    def end_pod(self, name: str, exit_code: int, text: str = "", reason: str = "", /, **status: Any) -> None:
        ended = {"exitCode": exit_code, "message": text, "reason": reason, "finishedAt": timestamp(self.now)}
        self.pods[name]["status"] = {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [{"name": "runner", "state": {"terminated": ended}}],
            **status,
        }

    def end_job(self, child: Child, kind: str = "Complete", reason: str = "", text: str = "") -> None:
        condition = {"type": kind, "status": "True", "reason": reason, "message": text}
        self.jobs[child.name]["status"]["conditions"] = [condition]

    def succeed(self, child: Child | None = None, *, publishes: bool = True) -> Child:
        """The child does its work, as the runner does it: commits what is missing, publishes what is complete."""
        child = child or self.only
        pod = self.start_pod(child)
        if child.kind == "stage":
            self.committed |= self.passes_of(child)
        self.end_pod(pod, 0, self.report(child.kind, publishes=publishes))
        self.end_job(child)
        return child

    def report(self, kind: str, *, publishes: bool = True) -> str:
        count = len(self.spec["passes"])
        complete = len(self.committed) == count
        gates = [True for _ in self.spec.get("gates", []) if complete]
        return message(kind, self.committed, count, published=publishes and complete, gates=gates)

    def passes_of(self, child: Child) -> set[int]:
        return {i for i, step in enumerate(self.spec["passes"]) if self._stage_of(step) == child.stage}

    def _stage_of(self, step: dict[str, Any]) -> int:
        systems = list(dict.fromkeys(p["system"] for p in self.spec["passes"]))
        return systems.index(step["system"])

    def fail_job(self, exit_code: int, text: str = "", reason: str = "", job_reason: str = "PodFailurePolicy") -> Child:
        child = self.only
        self.end_pod(self.start_pod(child), exit_code, text, reason)
        self.end_job(child, "Failed", job_reason)
        return child

    def lose_pods(self, child: Child) -> None:
        """Its pods are collected."""
        for name, pod in list(self.pods.items()):
            if pod["metadata"]["ownerReferences"][0]["uid"] == child.uid:
                del self.pods[name]

    def lose_job(self, child: Child) -> None:
        """Somebody deletes the Job, and its pods go with it."""
        self.lose_pods(child)
        del self.jobs[child.name]

    def finish_deletions(self) -> None:
        for job in [j for j in self.jobs.values() if "deletionTimestamp" in j["metadata"]]:
            self.lose_job(next(c for c in self.observe().children if c.name == job["metadata"]["name"]))

    def suspend(self, suspended: bool) -> None:
        self.spec = self.spec | {"suspend": suspended}
        self.generation += 1

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def delete(self, *finalizers: str) -> None:
        """Somebody deletes the FineTuneJob; with what keeps it beside our own finalizer."""
        self.deleted_at = timestamp(self.now)
        self.finalizers = (*finalizers, *self.finalizers)

    # ways to get somewhere

    def prepared(self) -> "World":
        """Accepted, prepared, the first stage's Job asked for."""
        self.round()
        self.succeed()
        self.round()
        return self

    def completed(self) -> "World":
        self.prepared()
        while not self.status.terminal:
            self.succeed()
            self.round()
        return self

    def stage_jobs(self) -> list[str]:
        return [n for n in self.created if "-prepare-" not in n]


def labels_of(job: dict[str, Any]) -> tuple[str, str, str | None]:
    marks = job["metadata"]["labels"]
    return marks[KIND], marks[ATTEMPT], marks.get(STAGE)


def states(world: World) -> list[PassState]:
    return [step.state for step in world.status.passes]
