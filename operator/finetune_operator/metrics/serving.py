"""Serves the figures: GET /metrics, in the format that Prometheus asks for."""

import asyncio
import socket

from aiohttp import web
from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.aiohttp import make_aiohttp_handler

STOP_SECONDS = 1.0
"""How long a scrape under way may keep the operator from stopping."""


async def serve_metrics(registry: CollectorRegistry, port: int) -> None:
    """Until it is cancelled, on all addresses, of IPv6 and IPv4 where the pod has both.

    Raises:
        OSError: the port is in use.
    """
    disable_created_metrics()  # a second series for each counter, which says when the process began
    app = web.Application()
    app.router.add_get("/metrics", make_aiohttp_handler(registry))
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, _listening(port)).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _listening(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
