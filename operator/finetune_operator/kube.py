"""The only module that talks to the API server: plain JSON in and out, a timeout on every call, errors by kind."""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from finetune_api import API_VERSION, PLURAL
from finetune_operator.labels import JOB_UID, MANAGER, QUEUED_JOB_UID

TIMEOUT_SECONDS = 30
PAGE = 500
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
TERMINATING = "NamespaceTerminating"
"""k8s.io/api/core/v1: the cause that the API server gives."""
KUEUE, KUEUE_VISIBILITY = "kueue.x-k8s.io", "visibility.kueue.x-k8s.io"
KUEUE_NEWER, KUEUE_OLDER = "v1beta2", "v1beta1"
"""Versions of both groups; Kueue serves the newer one since 0.15, and what is read of either is the same."""
MOST_PENDING = 200
"""Workloads of a queue that are looked through for a position."""

Wire = dict[str, Any]


class KubeError(Exception):
    """The API server said no, or nothing."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class NotFound(KubeError):  # noqa: N818 - the API's own word
    """404: it isn't there."""


class Conflict(KubeError):  # noqa: N818
    """409 Conflict: it has changed since it was read."""


class AlreadyExists(KubeError):  # noqa: N818
    """409 AlreadyExists: somebody, perhaps we, made it before."""


class Refused(KubeError):  # noqa: N818
    """403: quota, admission, or rights; it may be granted later."""


class NamespaceTerminating(Refused):
    """403: nothing is made any more in a namespace that is being deleted."""


class Invalid(KubeError):  # noqa: N818
    """400, 413 or 422: the object will never be taken as it is."""


class Unavailable(KubeError):  # noqa: N818
    """The server could not be reached, or could not answer now."""


def error_of(status: int, body: str) -> KubeError:
    """The error that an answer of this HTTP status stands for."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    reason, message = str(said.get("reason", "")), str(said.get("message", "") or body[:500])
    kinds: dict[int, type[KubeError]] = {
        400: Invalid,
        403: Refused,
        404: NotFound,
        409: Conflict,
        413: Invalid,
        422: Invalid,
    }
    kind = AlreadyExists if reason == "AlreadyExists" else kinds.get(status, Unavailable)
    if kind is Refused and TERMINATING in _causes(said):
        kind = NamespaceTerminating
    return kind(status, reason, message)


def _causes(said: Wire) -> list[str]:
    details = said.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [str(cause.get("reason", "")) for cause in causes or [] if isinstance(cause, dict)]


class Kube:
    """The calls the operator makes, and no others."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answered_at: datetime | None = None

    @property
    def client(self) -> Any:
        """For a library that makes its own calls."""
        return self._client

    def now(self) -> datetime:
        """What time it is by the API server's last answer, to the second.

        Pods and Jobs are dated by the cluster's clocks, so that deadlines and durations are told by them too: this
        machine's own clock may be wrong, or jump.
        """
        return self._answered_at or datetime.now(UTC)

    @classmethod
    @asynccontextmanager
    async def connect(cls) -> AsyncIterator["Kube"]:
        """A client with the pod's service account, or outside of a cluster with the kubeconfig."""
        configuration = Configuration()
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(client_configuration=configuration)
        async with ApiClient(configuration=configuration) as client:
            yield cls(client)

    async def is_served(self) -> bool:
        """Whether the API server knows FineTuneJobs."""
        try:
            found = await self._call("GET", f"/apis/{API_VERSION}")
        except NotFound:
            return False
        return any(resource["name"] == PLURAL for resource in found.get("resources", []))

    async def get_fine_tune_job(self, namespace: str, name: str) -> Wire | None:
        return await self._get(f"{_custom(namespace)}/{name}")

    async def list_fine_tune_jobs(self, namespace: str | None) -> AsyncIterator[Wire]:
        """All FineTuneJobs of a namespace, or of all (None), page by page."""
        async for item in self._list(_custom(namespace), {}):
            yield item

    async def get_config_map(self, namespace: str, name: str) -> Wire | None:
        return await self._get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    async def list_jobs_of(self, namespace: str, uid: str) -> list[Wire]:
        return [j async for j in self._list(f"/apis/batch/v1/namespaces/{namespace}/jobs", _of(uid))]

    async def find_job(self, namespace: str, name: str) -> Wire | None:
        """The Job of a name, whoever's it is."""
        query = {"fieldSelector": f"metadata.name={name}"}
        return next(iter([j async for j in self._list(f"/apis/batch/v1/namespaces/{namespace}/jobs", query)]), None)

    async def list_pods_of(self, namespace: str, uid: str) -> list[Wire]:
        return [p async for p in self._list(f"/api/v1/namespaces/{namespace}/pods", _of(uid))]

    async def list_warnings_about(self, namespace: str, uid: str) -> list[Wire]:
        """The Warning events about one object."""
        query = {"fieldSelector": f"involvedObject.uid={uid},type=Warning"}
        return [e async for e in self._list(f"/api/v1/namespaces/{namespace}/events", query)]

    async def list_workloads_of(self, namespace: str, job_uid: str) -> list[Wire]:
        """Kueue's Workloads that stand for one Job.

        Raises:
            NotFound: the API server knows no Kueue.
        """
        query = {"labelSelector": f"{QUEUED_JOB_UID}={job_uid}"}
        found = await self._get_of_kueue(KUEUE, f"namespaces/{namespace}/workloads", query)
        return list(found["items"])

    async def get_local_queue(self, namespace: str, name: str) -> Wire:
        return await self._get_of_kueue(KUEUE, f"namespaces/{namespace}/localqueues/{name}")

    async def get_pending_workloads(self, namespace: str, queue: str) -> Wire:
        """Who waits in a LocalQueue, in order: Kueue's PendingWorkloadsSummary."""
        path = f"namespaces/{namespace}/localqueues/{queue}/pendingworkloads"
        return await self._get_of_kueue(KUEUE_VISIBILITY, path, {"limit": str(MOST_PENDING)})

    async def create_config_map(self, manifest: Wire) -> None:
        await self._call("POST", f"/api/v1/namespaces/{_namespace(manifest)}/configmaps", body=manifest)

    async def create_job(self, manifest: Wire) -> None:
        await self._call("POST", f"/apis/batch/v1/namespaces/{_namespace(manifest)}/jobs", body=manifest)

    async def create_event(self, manifest: Wire) -> None:
        await self._call("POST", f"/api/v1/namespaces/{_namespace(manifest)}/events", body=manifest)

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """Deletes a Job and its pods; it stays, being deleted, until the pods are gone. Gone before is as good."""
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}}
        try:
            await self._call("DELETE", f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}", body=options)
        except (NotFound, Conflict):
            return

    async def apply_status(self, manifest: Wire) -> Wire:
        """Server-side apply of a status; metadata.resourceVersion in it makes a Conflict of a stale one."""
        meta = manifest["metadata"]
        path = f"{_custom(meta['namespace'])}/{meta['name']}/status"
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self._call("PATCH", path, query=query, body=manifest, content_type=APPLY)

    async def set_finalizers(self, namespace: str, name: str, resource_version: str, finalizers: Sequence[str]) -> None:
        """Of a FineTuneJob as it was read: a Conflict if it has changed since. Gone before is as good."""
        meta = {"resourceVersion": resource_version, "finalizers": list(finalizers)}
        query = {"fieldManager": MANAGER}
        path = f"{_custom(namespace)}/{name}"
        try:
            await self._call("PATCH", path, query=query, body={"metadata": meta}, content_type=MERGE)
        except NotFound:
            return

    async def _get(self, path: str) -> Wire | None:
        try:
            return await self._call("GET", path)
        except NotFound:
            return None

    async def _get_of_kueue(self, group: str, path: str, query: Mapping[str, str] | None = None) -> Wire:
        try:
            return await self._call("GET", f"/apis/{group}/{KUEUE_NEWER}/{path}", query=query)
        except NotFound:
            return await self._call("GET", f"/apis/{group}/{KUEUE_OLDER}/{path}", query=query)

    async def _list(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Wire]:
        token = ""
        while True:
            page = await self._call("GET", path, query={**query, "limit": str(PAGE), "continue": token})
            for item in page["items"]:
                yield item
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Wire | None = None,
        content_type: str = JSON,
    ) -> Wire:
        headers = {"Accept": JSON, "Content-Type": content_type, "User-Agent": MANAGER}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        given = {name: value for name, value in (query or {}).items() if value}
        url = self._client.configuration.host + path + (f"?{urlencode(given)}" if given else "")
        try:
            response = await self._client.call_api(
                method, url, header_params=headers, body=body, _request_timeout=TIMEOUT_SECONDS
            )
            text = (await response.read()).decode(errors="replace")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(0, type(error).__name__, f"{method} {path}: {error}") from error
        if date := response.headers.get("Date"):
            self._answered_at = parsedate_to_datetime(date)
        if response.status >= 400:  # noqa: PLR2004
            raise error_of(response.status, text)
        return json.loads(text)  # type: ignore[no-any-return]


def _custom(namespace: str | None) -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{API_VERSION}{scope}/{PLURAL}"


def _of(uid: str) -> dict[str, str]:
    return {"labelSelector": f"{JOB_UID}={uid}"}


def _namespace(manifest: Wire) -> str:
    return str(manifest["metadata"]["namespace"])
