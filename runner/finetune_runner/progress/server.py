"""Serves the progress over HTTP: GET /progress and /outcome (JSON), /metrics (Prometheus), /healthz."""

import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from finetune_runner.progress.metrics import registry_of, render
from finetune_runner.progress.state import ProgressState

log = logging.getLogger(__name__)

JSON_TYPE = "application/json"
POLL_SECONDS = 0.1
"""How long the end of the block may have to wait for the server."""
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ProgressServer(ThreadingHTTPServer):
    """Listens on all addresses, of IPv6 and IPv4 where the pod has both."""

    daemon_threads = True
    allow_reuse_address = True
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def __init__(self, state: ProgressState, port: int) -> None:
        """port: 0 for a free one.

        Raises:
            OSError: the port is in use.
        """
        self.state = state
        self.registry = registry_of(state)
        super().__init__(("", port), _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no error of ours, so nothing for the stage's log."""
        if isinstance(error := sys.exception(), ConnectionError):
            log.debug("%s gave up: %s", client_address[0], error)
            return
        super().handle_error(request, client_address)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])


@contextmanager
def serving(state: ProgressState, port: int) -> Iterator[ProgressServer | None]:
    """Serves until the end of the block; None, and a line in the log, where the port can't be had."""
    try:
        server = ProgressServer(state, port)
    except OSError as error:
        log.warning("progress is not served on port %d: %s", port, error)
        yield None
        return
    threading.Thread(target=server.serve_forever, args=[POLL_SECONDS], name="progress", daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ProgressServer
    timeout = 10
    """Seconds for a client to say what it wants."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/progress":
                progress = self.server.state.snapshot()
                self._answer(JSON_TYPE, json.dumps(progress.to_wire()).encode() if progress else b"")
            case "/outcome":
                outcome = self.server.state.outcome()
                self._answer(JSON_TYPE, outcome.encode().encode() if outcome else b"")
            case "/metrics":
                self._answer(TEXT_TYPE, render(self.server.registry))
            case "/healthz":
                self._answer(TEXT_TYPE, b"ok\n")
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        log.debug(format, *args)

    def _answer(self, kind: str, body: bytes) -> None:
        """Nothing to say yet is 204, not an empty answer."""
        self.send_response(HTTPStatus.OK if body else HTTPStatus.NO_CONTENT)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
