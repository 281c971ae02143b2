"""An API server, over HTTP and in this process, that has nothing to list and nothing to tell those who watch."""

import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from finetune_api import GROUP, KIND, PLURAL, VERSION

SERVED = {
    "/api/v1": {"pods": "Pod", "namespaces": "Namespace"},
    "/apis/batch/v1": {"jobs": "Job"},
    "/apis/apiextensions.k8s.io/v1": {"customresourcedefinitions": "CustomResourceDefinition"},
    f"/apis/{GROUP}/{VERSION}": {PLURAL: KIND},
}
"""Kinds by plural, by group: those that the operator watches, and two that kopf does not begin without."""


class WatchedApi:
    """Counts the watches that are asked for; takes none while it refuses them, and nobody with another token."""

    def __init__(self) -> None:
        self.watches: Counter[str] = Counter()
        self.asked: set[str] = set()
        """All paths that were asked for."""
        self.token = "first"
        self.refuses = False
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.add(request.path)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "code": 401, "reason": "Unauthorized"}, status=401)
        if request.query.get("watch") == "true":
            return await self._watch(request)
        return web.json_response(discovered(request.path))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.watches[request.path] += 1
        if self.refuses:
            return web.json_response({"kind": "Status", "code": 500}, status=500)
        stream = web.StreamResponse()
        await stream.prepare(request)
        return stream  # which ends it

    def kubeconfig(self, folder: Path) -> Path:
        """A file that leads here."""
        named = {
            "clusters": [{"name": "here", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {"token": self.token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "here", **named}))
        return file


@asynccontextmanager
async def watched_api() -> AsyncIterator[WatchedApi]:
    api, app = WatchedApi(), web.Application()
    app.router.add_get("/{path:.*}", api.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        api.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield api
    finally:
        await runner.cleanup()


def discovered(path: str) -> dict[str, Any]:
    """What is served, as kopf asks for it; for anything else an empty list."""
    if path == "/api":
        return {"versions": ["v1"]}
    if path == "/apis":
        return {"groups": [_group(*served.split("/")[2:]) for served in SERVED if served.startswith("/apis/")]}
    if path in SERVED:
        common = {"singularName": "", "namespaced": True, "verbs": ["list", "watch"]}
        return {"resources": [{"name": plural, "kind": kind, **common} for plural, kind in SERVED[path].items()]}
    return {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []}


def _group(name: str, version: str) -> dict[str, Any]:
    found = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [found], "preferredVersion": found}
