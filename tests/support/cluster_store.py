"""What lies in a job's store, read from outside: committed outputs and the attempts at them."""

from typing import Any

from cluster_workspace import Workspace

Json = dict[str, Any]


def cache_keys(status: Json) -> dict[str, str]:
    """Pass to the key its output is found by."""
    return {step["name"]: step["cacheKey"] for step in status["passes"]}


def manifests(workspace: Workspace, status: Json) -> dict[str, Json]:
    """Pass to the manifest of its committed output; passes without one are left out."""
    found = set(workspace.bucket.keys(f"store/{workspace.namespace}/cache/"))
    paths = {name: _folder(workspace, key) + "manifest.json" for name, key in cache_keys(status).items()}
    return {name: workspace.bucket.read_json(path) for name, path in paths.items() if path in found}


def attempts(workspace: Workspace, status: Json) -> dict[str, set[str]]:
    """Pass to the pods (their UIDs) that wrote an output for it."""
    return {name: _attempts(workspace, _folder(workspace, key)) for name, key in cache_keys(status).items()}


def _attempts(workspace: Workspace, folder: str) -> set[str]:
    below = f"{folder}attempts/"
    return {key.removeprefix(below).partition("/")[0] for key in workspace.bucket.keys(below)}


def _folder(workspace: Workspace, cache_key: str) -> str:
    return f"store/{workspace.namespace}/cache/{cache_key}/"
