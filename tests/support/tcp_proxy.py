"""A way to a server that can be made slow, cut or silent; it carries bytes, so that TLS goes through it untouched."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 64 * 1024


def no_delay() -> float:
    return 0


@dataclass(eq=False)
class Connection:
    client: socket.socket
    server: socket.socket
    silent: bool = False
    """It stays open, and what either end says gets lost."""

    def close(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@dataclass
class TcpProxy:
    upstream: tuple[str, int]
    port: int = 0
    delay_seconds: Callable[[], float] = no_delay
    """Asked for each piece of data that is carried, either way."""
    connections: set[Connection] = field(default_factory=set)
    """Those that are open."""

    def cut(self) -> int:
        """Closes every connection; how many there were."""
        found = list(self.connections)
        for connection in found:
            connection.close()
        return len(found)

    def silence(self) -> int:
        """Makes every connection silent for good; how many there were. Those that come are like any other."""
        found = list(self.connections)
        for connection in found:
            connection.silent = True
        return len(found)

    def carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.upstream, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        connection = Connection(client, server)
        self.connections.add(connection)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(connection, source, sink), daemon=True).start()

    def _pump(self, connection: Connection, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if connection.silent:
                    continue
                time.sleep(self.delay_seconds())
                sink.sendall(data)
        self.connections.discard(connection)
        connection.close()


@contextmanager
def before(upstream: tuple[str, int], address: str) -> Iterator[TcpProxy]:
    """A proxy before a server, at an address of this machine, until the end of the block."""
    proxy = TcpProxy(upstream)
    with socket.create_server((address, 0)) as listening:
        proxy.port = listening.getsockname()[1]
        threading.Thread(target=_accept, args=(listening, proxy), daemon=True).start()
        try:
            yield proxy
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            proxy.cut()


def _accept(listening: socket.socket, proxy: TcpProxy) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=proxy.carry, args=(client,), daemon=True).start()
