"""The whole chain: prepare here, then what is left of each stage in a process of its own."""

import importlib.util
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from finetune_api.gates import skipped
from finetune_api.messages import JobDocument, TerminationMessage
from finetune_api.plan import Stage
from finetune_api.resource.progress import Progress
from finetune_api.resource.systems import System
from finetune_cli.local import pod_root
from finetune_cli.local.pod_root import Mapped
from finetune_cli.local.references import references
from finetune_cli.local.stage_process import run_stage
from finetune_runner.job import Job, open_job
from finetune_runner.layout import PodLayout
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.publishing.signing import wants_signature

STACK = ("torch", "transformers", "peft", "onnxruntime_genai")


class Watcher(Protocol):
    """Who is told how the chain goes on."""

    def stage_begins(self, stage: Stage) -> None: ...

    def progress(self, progress: Progress) -> None: ...


@dataclass(frozen=True)
class Result:
    """How it ended."""

    message: TerminationMessage
    reused: frozenset[int]
    """Passes that were committed before, by their position in spec.passes."""
    report: str
    """Where the full report is."""


def run_chain(document: JobDocument, folder: Path, mapped: Mapped, watcher: Watcher) -> Result:
    """Runs a job to its end.

    Args:
        document: the job, its spec valid and its places those of this machine.
        folder: for scratch space and logs.
        mapped: folders that stand for claims, secrets and config maps.
        watcher: told how it goes on.

    Raises:
        FineTuneError: why it failed.
    """
    with _root(document, folder, mapped) as root:
        job = open_job(document, PodLayout.under(root).with_port(0))
        message = _prepared(job)
        reused = frozenset(step.index for step in message.passes if step.digest)
        log_file = folder / "logs" / f"{document.name}-{document.uid[:8]}.log"
        while stage := next((stage for stage in job.plan.stages if _left(job, stage, message)), None):
            message = _run(job, stage, root, log_file, watcher)
            if message.gave_way:
                message = _prepared(job)
        if wants_signature(job) and message.published is None:
            message = _prepared(job)
        return Result(message, reused, job.store.uri(f"{job.folder}/report.json"))


@contextmanager
def _root(document: JobDocument, folder: Path, mapped: Mapped) -> Iterator[Path]:
    root = folder / "run" / document.uid
    try:
        pod_root.build(root, references(document.spec), mapped, os.environ)
        layout = PodLayout.under(root)
        layout.job_file.parent.mkdir(parents=True)
        layout.job_file.write_text(document.model_dump_json(by_alias=True, exclude_none=True))
        layout.termination_message.parent.mkdir(parents=True)
        yield root
    finally:
        pod_root.remove(root)


def _prepared(job: Job) -> TerminationMessage:
    """What is committed, once no other job makes what comes next."""
    outcome = Outcome(kind="prepare")
    prepare(job, outcome)
    return outcome.message(None, first=job.plan.measuring)


def _left(job: Job, stage: Stage, message: TerminationMessage) -> bool:
    done = {job.plan.passes[step.index].name for step in message.passes if step.digest}
    done |= skipped(job.spec, job.plan, done, [gate.passed for gate in message.gates])
    return any(step.name not in done for step in stage.passes)


def _run(job: Job, stage: Stage, root: Path, log_file: Path, watcher: Watcher) -> TerminationMessage:
    missing = [name for name in STACK if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"passes need {', '.join(missing)}, which are not installed: pip install '.[runner,cli]' in a checkout"
        )
    log_file.parent.mkdir(parents=True, exist_ok=True)
    watcher.stage_begins(stage)
    return run_stage(
        stage.index,
        root,
        log_file=log_file,
        environment=environment_of(stage.system, job.layout),
        grace_seconds=stage.system.termination_grace_period_seconds,
        on_progress=watcher.progress,
    )


def environment_of(system: System, layout: PodLayout) -> Mapping[str, str]:
    """A system's environment variables, those from secrets and config maps included."""
    values = {}
    for item in system.env:
        if item.value is not None:
            values[item.name] = item.value
        elif item.value_from and item.value_from.secret_key_ref:
            reference = item.value_from.secret_key_ref
            values[item.name] = (layout.secrets / reference.name / reference.key).read_text()
        elif item.value_from and item.value_from.config_map_key_ref:
            key = item.value_from.config_map_key_ref
            values[item.name] = (layout.config_maps / key.name / key.key).read_text()
    return values


def new_uid() -> str:
    return str(uuid.uuid4())
