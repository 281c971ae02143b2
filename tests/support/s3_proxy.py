"""A proxy before a real S3 server that does to chosen requests what networks and services do."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tcp_proxy import no_delay

HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding", "content-length"}


class Harm(Enum):
    """What a request meets."""

    UNAVAILABLE = auto()
    """503, and the server hears nothing of it."""
    DENIED = auto()
    """403, likewise."""
    ARCHIVED = auto()
    """403 of an object that has to be restored first, likewise."""
    OTHER_REGION = auto()
    """400 to a request that was signed for another region, likewise."""
    NOT_IMPLEMENTED = auto()
    """501, likewise."""
    SLOW = auto()
    """The server does it, and answers after seconds."""
    CUT = auto()
    """The connection ends after half of the request."""
    GONE = auto()
    """The connection ends without an answer, and the server hears nothing of it."""
    ANSWER_LOST = auto()
    """The server does it, and the answer gets lost."""
    ANSWER_CUT = auto()
    """The connection ends after half of the answer."""
    CONDITION_IGNORED = auto()
    """It is done without its If-Match and If-None-Match."""


SLOW_SECONDS = 2
REFUSALS = {
    Harm.UNAVAILABLE: (503, "ServiceUnavailable"),
    Harm.DENIED: (403, "AccessDenied"),
    Harm.ARCHIVED: (403, "InvalidObjectState"),
    Harm.OTHER_REGION: (400, "AuthorizationHeaderMalformed"),
    Harm.NOT_IMPLEMENTED: (501, "NotImplemented"),
}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """With the query."""
    headers: Any
    body: bytes


@dataclass
class Fault:
    harm: Harm
    when: Callable[[Request], bool]
    times: int = 1_000_000
    """How many requests are left that meet it."""
    met: int = 0
    """How many have."""


@dataclass
class Proxy:
    """Add faults to it; `seen` has every request."""

    server: Any
    """The S3 server behind it: its `endpoint`, and a `client()` for CONDITION_IGNORED."""
    endpoint: str = ""
    delay_seconds: Callable[[], float] = no_delay
    """Asked for each request, before the server hears of it."""
    faults: list[Fault] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def harm(self, harm: Harm, when: Callable[[Request], bool], times: int = 1_000_000) -> Fault:
        fault = Fault(harm, when, times)
        self.faults.append(fault)
        return fault

    def met(self, request: Request) -> Harm | None:
        with self._lock:
            self.seen.append(request)
            for fault in self.faults:
                if fault.times and fault.when(request):
                    fault.times -= 1
                    fault.met += 1
                    return fault.harm
        return None


@contextmanager
def proxied(server: Any, address: str = "127.0.0.1") -> Iterator[Proxy]:
    """A proxy before a server, at an address of this machine, until the end of the block."""
    proxy = Proxy(server)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    listening = ThreadingHTTPServer((address, 0), handler)
    listening.daemon_threads = True
    proxy.endpoint = f"http://{address}:{listening.server_address[1]}"
    threading.Thread(target=listening.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield proxy
    finally:
        listening.shutdown()
        listening.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, self.headers, self.rfile.read(length))
        time.sleep(self.proxy.delay_seconds())
        harm = self.proxy.met(request)
        if harm is Harm.GONE:
            self.close_connection = True
        elif harm in REFUSALS:
            self._refuse(*REFUSALS[harm])
        elif harm is Harm.CONDITION_IGNORED:
            self._put_anyway(request)
        elif harm is Harm.CUT:
            self._forward_half(request)
        else:
            self._forward(request, harm)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Nothing for the tests' output."""

    def _forward(self, request: Request, harm: Harm | None) -> None:
        status, headers, body = self._answer_to(request)
        if harm is Harm.SLOW:
            time.sleep(SLOW_SECONDS)
        if harm is Harm.ANSWER_LOST:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = dict(headers).get("Content-Length") if request.method == "HEAD" else str(len(body))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if harm is Harm.ANSWER_CUT else body)
        self.close_connection = self.close_connection or harm is Harm.ANSWER_CUT

    def _answer_to(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(urlsplit(self.proxy.server.endpoint).netloc, timeout=30)
        try:
            _head(upstream, request)
            upstream.endheaders(request.body)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _forward_half(self, request: Request) -> None:
        """The server gets half of what it was promised."""
        upstream = http.client.HTTPConnection(urlsplit(self.proxy.server.endpoint).netloc, timeout=30)
        with suppress(OSError):
            _head(upstream, request)
            upstream.endheaders(request.body[: len(request.body) // 2])
        upstream.close()
        self.close_connection = True

    def _put_anyway(self, request: Request) -> None:
        bucket, _, key = urlsplit(request.path).path.lstrip("/").partition("/")
        answer = self.proxy.server.client().put_object(Bucket=bucket, Key=key, Body=request.body)
        self.send_response(200)
        self.send_header("ETag", answer["ETag"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _refuse(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _head(upstream: http.client.HTTPConnection, request: Request) -> None:
    """The request as it came: its signature is over the host that the client named."""
    upstream.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.items():
        if name.lower() not in HOP_BY_HOP:
            upstream.putheader(name, value)
    upstream.putheader("Content-Length", str(int(request.headers.get("Content-Length") or 0)))
