"""An API server for one FineTuneJob, in memory: it keeps objects as JSON, and refuses what the real one refuses.

An object is replaced when it changes, never altered, so that what was read before stays as it was.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_api.resource.status import FineTuneJobStatus
from finetune_operator.conditions import timestamp
from finetune_operator.kube import AlreadyExists
from finetune_operator.labels import MANAGED_BY, MANAGER
from finetune_operator.observe.children import controller_uid, is_deletion_of
from finetune_operator.shell import is_done, key_of_child
from operator_world import START, UID

Wire = dict[str, Any]
Objects = dict[str, Wire]
KEY = ("team", "tone")


class ApiServer:
    """The job, its children and others' objects beside them; tells its watchers of what concerns the job."""

    def __init__(self, spec: Wire) -> None:
        self.now: datetime = START
        self.jobs: Objects = {}
        self.pods: Objects = {}
        self.config_maps: Objects = {}
        self.events: set[str] = set()
        self.watchers: list[Callable[[], None]] = []
        self.unreachable_calls = 0
        """So many calls are not answered, and do nothing."""
        self.namespace_terminating = False
        self.no_quota = False
        """Nothing can be made in it any more."""
        self.loses_answer = False
        """The next write is carried out, and its answer is lost."""
        self.status = FineTuneJobStatus()
        self.fine_tune_job: Wire | None = None
        self.version = 0
        """Grows with every write."""
        self.before_status: Callable[[FineTuneJobStatus], None] = lambda _: None
        self.before_job: Callable[[Wire], None] = lambda _: None
        """Called with what is about to be written."""
        meta = {"namespace": KEY[0], "name": KEY[1], "uid": UID, "generation": 1}
        self.put_fine_tune_job({"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": spec})

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # the job

    def put_fine_tune_job(self, wire: Wire) -> None:
        self.fine_tune_job = self._stamped(wire)
        if not is_done(wire):
            self._tell()

    def change_metadata(self, **changes: Any) -> None:
        if wire := self.fine_tune_job:
            self.put_fine_tune_job({**wire, "metadata": {**wire["metadata"], **changes}})

    def suspend(self, suspended: bool) -> None:
        """Refused where it would suspend a finished job."""
        wire = self.fine_tune_job
        if wire and self.suspended is not suspended and not (suspended and self.status.terminal):
            meta = {**wire["metadata"], "generation": wire["metadata"]["generation"] + 1}
            self.put_fine_tune_job({**wire, "metadata": meta, "spec": {**wire["spec"], "suspend": suspended}})

    @property
    def suspended(self) -> bool:
        return bool(self.fine_tune_job and self.fine_tune_job["spec"].get("suspend"))

    def delete_fine_tune_job(self, *, foreground: bool) -> None:
        """As kubectl does with --cascade: what has finalizers stays until they are gone."""
        if wire := self.fine_tune_job:
            held = [*(["foregroundDeletion"] if foreground else []), *wire["metadata"].get("finalizers", [])]
            self.change_metadata(finalizers=held, deletionTimestamp=timestamp(self.now))
            self.let_go_of_fine_tune_job()

    def let_go_of_fine_tune_job(self) -> None:
        """What is deleted and kept by nothing is gone."""
        if self.deleting and self.fine_tune_job and not self.fine_tune_job["metadata"].get("finalizers"):
            self.fine_tune_job = None

    @property
    def deleting(self) -> bool:
        return self.fine_tune_job is None or "deletionTimestamp" in self.fine_tune_job["metadata"]

    # everything else

    def put(self, kind: Objects, wire: Wire) -> None:
        kind[wire["metadata"]["name"]] = self._stamped(wire)
        self._tell_of(wire)

    def remove(self, kind: Objects, name: str) -> None:
        self.version += 1
        self._tell_of(kind.pop(name))

    def mark_deleted(self, kind: Objects, name: str) -> None:
        wire = kind[name]
        if "deletionTimestamp" not in wire["metadata"]:
            self.put(kind, {**wire, "metadata": {**wire["metadata"], "deletionTimestamp": timestamp(self.now)}})

    def create(self, kind: Objects, manifest: Wire) -> None:
        name = manifest["metadata"]["name"]
        if name in kind:
            raise AlreadyExists(409, "AlreadyExists", f"{name} already exists")
        meta = {**manifest["metadata"], "uid": f"uid-{self.version}", "creationTimestamp": timestamp(self.now)}
        self.put(kind, {**manifest, "metadata": meta})

    def own_jobs(self) -> list[Wire]:
        return [job for job in self.jobs.values() if controller_uid(job) == UID]

    def deletion_jobs(self) -> list[Wire]:
        return [job for job in self.jobs.values() if is_deletion_of(UID, job)]

    def pods_of(self, job: Wire) -> Iterator[Wire]:
        return (pod for pod in list(self.pods.values()) if controller_uid(pod) == job["metadata"]["uid"])

    def watched(self) -> bool:
        """Whether an operator that starts now hears of the job."""
        job = self.fine_tune_job
        return bool(job and not is_done(job)) or any(map(_concerns, (*self.jobs.values(), *self.pods.values())))

    def _stamped(self, wire: Wire) -> Wire:
        self.version += 1
        return {**wire, "metadata": {**wire["metadata"], "resourceVersion": str(self.version)}}

    def _tell_of(self, wire: Wire) -> None:
        if _concerns(wire):
            self._tell()

    def _tell(self) -> None:
        for watcher in self.watchers:
            watcher()


def _concerns(wire: Wire) -> bool:
    labels: Mapping[str, str] = wire["metadata"].get("labels") or {}
    return labels.get(MANAGED_BY) == MANAGER and key_of_child(wire) == KEY
