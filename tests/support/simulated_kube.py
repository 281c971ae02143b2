"""The operator's calls to a simulated API server, one at a time: anything may happen before a call reaches it."""

import types
from collections.abc import Iterator, Sequence

from finetune_api.resource.status import FineTuneJobStatus
from finetune_operator.conditions import timestamp
from finetune_operator.kube import AlreadyExists, Conflict, NamespaceTerminating, Refused, Unavailable
from finetune_operator.labels import JOB_UID
from finetune_operator.observe.children import controller_uid
from operator_world import UID
from simulated_api import ApiServer, Objects, Wire


@types.coroutine
def turn() -> Iterator[None]:
    """Anything may happen before a call reaches the server."""
    yield


class SimulatedKube:
    """The calls of Kube, each at its own turn."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api

    async def get_fine_tune_job(self, namespace: str, name: str) -> Wire | None:
        await self._reach()
        return self.api.fine_tune_job

    async def get_config_map(self, namespace: str, name: str) -> Wire | None:
        await self._reach()
        return self.api.config_maps.get(name)

    async def list_jobs_of(self, namespace: str, uid: str) -> list[Wire]:
        await self._reach()
        return _of(self.api.jobs, uid)

    async def find_job(self, namespace: str, name: str) -> Wire | None:
        await self._reach()
        return self.api.jobs.get(name)

    async def list_pods_of(self, namespace: str, uid: str) -> list[Wire]:
        await self._reach()
        return _of(self.api.pods, uid)

    async def list_warnings_about(self, namespace: str, uid: str) -> list[Wire]:
        await self._reach()
        return []

    async def create_config_map(self, manifest: Wire) -> None:
        await self._reach()
        self.api.create(self.api.config_maps, manifest)
        self._answer()

    async def create_job(self, manifest: Wire) -> None:
        await self._reach()
        if self.api.no_quota:
            raise Refused(403, "Forbidden", "exceeded quota: jobs")
        if self.api.namespace_terminating:
            raise NamespaceTerminating(403, "Forbidden", "namespace team is being terminated")
        if manifest["metadata"]["name"] not in self.api.jobs:
            self.api.before_job(manifest)
        self.api.create(self.api.jobs, {**manifest, "status": {"startTime": timestamp(self.api.now)}})
        self._answer()

    async def create_event(self, manifest: Wire) -> None:
        await self._reach()
        if manifest["metadata"]["name"] in self.api.events:
            raise AlreadyExists(409, "AlreadyExists", "")
        self.api.events.add(manifest["metadata"]["name"])

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        await self._reach()
        job = self.api.jobs.get(name)
        if job and job["metadata"]["uid"] == uid:
            assert controller_uid(job) == UID, f"{name} is somebody else's"
            self.api.mark_deleted(self.api.jobs, name)
        self._answer()

    async def apply_status(self, manifest: Wire) -> Wire:
        await self._reach()
        wire = self.api.fine_tune_job
        if wire is None or wire["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "the object has been modified")
        status = FineTuneJobStatus.from_wire(manifest["status"])
        self.api.before_status(status)
        self.api.status = status
        self.api.put_fine_tune_job({**wire, "status": manifest["status"]})
        self._answer()
        return manifest

    async def set_finalizers(self, namespace: str, name: str, version: str, finalizers: Sequence[str]) -> None:
        await self._reach()
        wire = self.api.fine_tune_job
        if wire is None:
            return
        meta = wire["metadata"]
        if meta["resourceVersion"] != version:
            raise Conflict(409, "Conflict", "the object has been modified")
        assert not (self.api.deleting and set(finalizers) - set(meta.get("finalizers", []))), "added while deleting"
        self.api.change_metadata(finalizers=list(finalizers))
        self.api.let_go_of_fine_tune_job()
        self._answer()

    async def _reach(self) -> None:
        await turn()
        if self.api.unreachable_calls:
            self.api.unreachable_calls -= 1
            raise Unavailable(0, "ClientError", "no answer")

    def _answer(self) -> None:
        if self.api.loses_answer:
            self.api.loses_answer = False
            raise Unavailable(0, "ClientError", "the answer is lost")


def _of(objects: Objects, uid: str) -> list[Wire]:
    return [wire for wire in objects.values() if (wire["metadata"].get("labels") or {}).get(JOB_UID) == uid]
