"""A small Hugging Face hub on a free port: the few answers that reading a repository takes.

Stands in for the hub, which the machine may not reach; the client library in front of it is the real one.
"""

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_good"
LARGE = (".safetensors", ".gguf")
"""Files that the hub keeps in Git LFS."""


@dataclass
class Repository:
    """Files of each commit; branches point to commits."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha


class Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.refusals: list[tuple[HTTPStatus, dict[str, str]]] = []
        """Status and headers of the next answers, one each."""
        self.resets = 0
        """How many of the next downloads meet a connection that is reset in their middle."""
        self.cuts = 0
        """How many of the next downloads meet a connection that is closed in their middle."""
        self.altered = 0
        """How many of the next downloads are other bytes, as many."""
        self.short = 0
        """How many of the next downloads end early, with a length that says so."""
        self.sent: list[str] = []
        """Paths of the files that were downloaded, one by one."""
        self.begun: list[tuple[str, int]] = []
        """Path of each download, and the byte that it was to begin at."""
        self.ranges = True
        """Whether a download begins where it is to."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing for the tests' output."""

    @property
    def endpoint(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host}:{port}"

    def repository(self, name: str, kind: str = "model", **flags: bool) -> Repository:
        return self.repositories.setdefault(f"{kind}s/{name}", Repository(**flags))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as server:
        yield server


@contextmanager
def running_hub(host: str = "127.0.0.1") -> Iterator[Hub]:
    """A hub without repositories, until the end of the block; at an address of this machine."""
    server = Hub(host)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def sibling(path: str, data: bytes) -> dict[str, Any]:
    """What the hub tells of a file."""
    told = {"rfilename": path, "size": len(data), "blobId": "0" * 40}
    lfs = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return told | ({"lfs": lfs} if path.endswith(LARGE) else {})


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _answer(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if self.server.refusals:
            status, headers = self.server.refusals.pop(0)
            self._send(status, b"{}", headers)
        elif parts[0] == "api":
            self._info(parts[1], "/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        else:
            kind = parts.pop(0) if parts[0] == "datasets" else "models"
            self._file(kind, "/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _info(self, kind: str, name: str, revision: str) -> None:
        repository = self._allowed(kind, name)
        if repository is None:
            return
        sha = repository.branches.get(revision, revision)
        if sha not in repository.commits:
            self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound")
            return
        files = repository.commits[sha]
        siblings = [sibling(path, data) for path, data in files.items()]
        self._send(HTTPStatus.OK, json.dumps({"id": name, "sha": sha, "siblings": siblings}).encode())

    def _file(self, kind: str, name: str, sha: str, path: str) -> None:
        repository = self._allowed(kind, name)
        if repository is None:
            return
        if repository.gated:
            self._refuse(HTTPStatus.FORBIDDEN, "GatedRepo")
            return
        data = repository.commits[sha][path]
        etag = (hashlib.sha256 if path.endswith(LARGE) else hashlib.sha1)(data).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": sha}
        if self.command == "HEAD":
            self._send(HTTPStatus.OK, data, headers)
        else:
            self._download(path, data, headers)

    def _download(self, path: str, data: bytes, headers: dict[str, str]) -> None:
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.server.begun.append((path, begin))
        status = HTTPStatus.OK
        if begin and self.server.ranges:
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            data = data[begin:]
        if self.server.resets:
            self.server.resets -= 1
            self._reset(status, data, headers)
        elif self.server.cuts:
            self.server.cuts -= 1
            self._half(status, data, headers)
        elif self.server.altered:
            self.server.altered -= 1
            self._send(status, bytes(len(data)), headers)
        elif self.server.short:
            self.server.short -= 1
            self._send(status, data[: len(data) // 2], headers)
        else:
            self.server.sent.append(path)
            self._send(status, data, headers)

    def _half(self, status: HTTPStatus, data: bytes, headers: dict[str, str]) -> None:
        """Half of the answer; then the connection is closed."""
        self._begin(status, len(data), headers)
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True

    def _reset(self, status: HTTPStatus, data: bytes, headers: dict[str, str]) -> None:
        """Half of the answer; then the connection is not closed, but reset."""
        self._half(status, data, headers)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end in (self.rfile, self.wfile, self.connection):
            end.close()
        raise ConnectionResetError

    def _allowed(self, kind: str, name: str) -> Repository | None:
        """The repository, if it exists for who asks; else the answer has been given."""
        repository = self.server.repositories.get(f"{kind}/{name}")
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given not in ("", TOKEN):
            self._refuse(HTTPStatus.UNAUTHORIZED, "")
        elif repository is None or (repository.private and given != TOKEN):
            self._refuse(HTTPStatus.UNAUTHORIZED if not given else HTTPStatus.NOT_FOUND, "RepoNotFound")
        else:
            return repository
        return None

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code} if code else {})

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._begin(status, len(body), headers or {})
        if self.command == "GET":
            self.wfile.write(body)

    def _begin(self, status: HTTPStatus, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
