"""FineTuneJobs with their status: of a cluster, or saved by kubectl get -o yaml."""

import json
from dataclasses import dataclass
from typing import IO, Any

import click
from pydantic import ValidationError

from finetune_api import GROUP, KIND, PLURAL, VERSION
from finetune_api.resource.status import FineTuneJobStatus
from finetune_cli.kubectl_yaml import ManifestError, load_file
from finetune_cli.manifest import DEFAULT_NAMESPACE, flattened

NOT_FOUND = 404
SECONDS = 30
"""The longest that an answer of the API server is waited for."""


@dataclass(frozen=True)
class Job:
    """What there is to tell of."""

    name: str
    namespace: str
    status: FineTuneJobStatus


def as_json(job: Job) -> str:
    """Name, namespace and status, in a line."""
    told = {"name": job.name, "namespace": job.namespace, "status": job.status.to_wire()}
    return json.dumps(told, ensure_ascii=False)


def from_file(file: IO[bytes], source: str, name: str) -> list[Job]:
    """The jobs of a file; of a name only, where it is given.

    Args:
        file: opened for reading bytes.
        source: how to call it in messages.
        name: the job's; may be empty.

    Raises:
        ClickException: it is not YAML, or holds no such job.
    """
    try:
        documents = list(flattened(load_file(file)))
    except ManifestError as error:
        raise click.ClickException(f"{source}: {error}") from error
    found = [item for item in documents if isinstance(item, dict) and item.get("kind") == KIND]
    jobs = [job for job in map(_job, found) if name in ("", job.name)]
    if not jobs:
        there_is = ", ".join(_job(item).name for item in found)
        wanted = f"{KIND} {name!r}" if name else KIND
        raise click.ClickException(f"{source}: holds no {wanted}" + (f" (there is: {there_is})" if there_is else ""))
    return jobs


def from_cluster(name: str, namespace: str, context: str) -> Job:
    """The job as the API server has it, asked as kubectl would: by KUBECONFIG or ~/.kube/config.

    Args:
        name: the job's.
        namespace: the job's; empty: the context's own.
        context: of the kubeconfig; empty: its current one.

    Raises:
        ClickException: there is no cluster that answers, or no such job.
    """
    try:
        from kubernetes import client, config  # noqa: PLC0415  half a second, and optional
    except ImportError as error:
        raise click.ClickException(
            "reading a cluster needs the package kubernetes: pip install kubernetes, or give a saved job by -f"
        ) from error
    try:
        configured = client.Configuration()
        config.load_kube_config(context=context or None, client_configuration=configured)
        namespace = namespace or _namespace_of(config, context)
        api = client.CustomObjectsApi(client.ApiClient(configured))
        wire = api.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name, _request_timeout=SECONDS)
    except client.ApiException as error:
        raise click.ClickException(_refusal(error, name, namespace)) from error
    except Exception as error:  # the library raises what its parts raise
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise click.ClickException(f"the cluster can't be asked: {first}") from error
    return _job(wire)


def _namespace_of(config: Any, context: str) -> str:
    """The namespace that a context names."""
    contexts, current = config.list_kube_config_contexts()
    chosen = next((one for one in contexts if one["name"] == context), current)
    return str(chosen["context"].get("namespace") or DEFAULT_NAMESPACE)


def _refusal(error: Any, name: str, namespace: str) -> str:
    if error.status == NOT_FOUND:
        return f"there is no {KIND} {name!r} in namespace {namespace!r}"
    return f"the API server says {error.status} {error.reason}"


def _job(wire: dict[str, Any]) -> Job:
    metadata = wire.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    try:
        status = FineTuneJobStatus.from_wire(wire.get("status"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("status", *first["loc"]))
        remedy = "use the finetune of the operator's version"
        raise click.ClickException(f"{place}: {first['msg']} ({remedy})") from error
    return Job(str(known.get("name", "?")), str(known.get("namespace", DEFAULT_NAMESPACE)), status)
