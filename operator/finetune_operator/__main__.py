"""`finetune-operator`: runs the operator until it is told to stop."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any

import kopf

from finetune_api import API_VERSION, KIND
from finetune_operator.kube import Kube, KubeError
from finetune_operator.leadership import Leadership, lead_alone, run_for_leadership
from finetune_operator.liveness import add_liveness
from finetune_operator.logins import LoginRefusedError, Logins
from finetune_operator.logs import configure_logging
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.metrics.serving import serve_metrics
from finetune_operator.metrics.standing import Standing
from finetune_operator.observe import Key
from finetune_operator.progress import ProgressWatch
from finetune_operator.resync import resync
from finetune_operator.settings import Settings, SettingsError
from finetune_operator.shell import WATCHED, build_registry, build_settings
from finetune_operator.vitals import Vitals, watches_of
from finetune_operator.work_queue import WorkQueue
from finetune_operator.worker import Worker

logger = logging.getLogger("finetune_operator")


def main() -> None:
    argparse.ArgumentParser(
        prog="finetune-operator",
        description="Runs FineTuneJobs. Settings come from the environment (FINETUNE_*), see the Helm chart.",
    ).parse_args()
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(f"finetune-operator: {error}")
    configure_logging(settings.log_level, settings.log_format)
    try:
        asyncio.run(serve(settings))
    except KubeError as error:
        sys.exit(f"finetune-operator: the API server does not answer as it should: {error}")
    except LoginRefusedError as error:
        sys.exit(f"finetune-operator: {error}")


async def serve(settings: Settings) -> None:
    """kopf, the workers, resync, progress and metrics, side by side: the first that ends, ends all."""
    async with Kube.connect() as kube:
        if not await kube.is_served():
            sys.exit(f"finetune-operator: the API server knows no {KIND} of {API_VERSION}; install the CRD")
        queue = WorkQueue[Key]()
        progress = ProgressWatch(settings.progress_interval_seconds, queue.add)
        leadership, metrics = Leadership(), Metrics()
        vitals = Vitals(watches_of(WATCHED, settings.watch_namespaces), settings.watch_seconds)
        metrics.registry.register(Standing(leadership, metrics.jobs, lambda: queue.waiting, kube.now))
        worker = Worker(kube, settings, queue, progress, leadership, metrics=metrics, vitals=vitals, clock=kube.now)
        logins = Logins(vitals)
        registry = build_registry(queue.add, metrics, logins)
        add_liveness(registry, vitals, leadership)
        logger.info("serving %s", ", ".join(settings.watch_namespaces) or "all namespaces")
        await first_of(
            *(worker.run() for _ in range(settings.workers)),
            resync(
                kube,
                queue,
                metrics,
                vitals,
                namespaces=settings.watch_namespaces,
                seconds=settings.resync_seconds,
            ),
            progress.run(),
            run_for_leadership(leadership, settings.lease, kube.client) if settings.lease else lead_alone(leadership),
            run_shell(settings, registry, logins),
            *([serve_metrics(metrics.registry, settings.metrics_port)] if settings.metrics_port else []),
        )


async def run_shell(settings: Settings, registry: Any, logins: Logins) -> None:
    """kopf, until SIGTERM; standalone, since leadership is decided by a Lease and not by its peering.

    Raises:
        LoginRefusedError: the API server refuses every login there is.
    """
    operator = kopf.operator(
        registry=registry,
        settings=build_settings(settings),
        standalone=True,
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
        liveness_endpoint=settings.liveness_endpoint,
    )
    await first_of(operator, logins.refused())


async def first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Waits for the first to end, or to be cancelled, cancels the rest, and raises what it raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


if __name__ == "__main__":
    main()
