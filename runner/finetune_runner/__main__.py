"""finetune-runner: what a FineTuneJob's pods run. The only place where a process's end is decided."""

import argparse
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from finetune_api.failures import FineTuneError, Reason
from finetune_api.pod_layout import AGAIN_ENV, DIGEST_ENV, LOG_FORMAT_ENV, WITHOUT_KEY_ENV
from finetune_runner import logs
from finetune_runner.ending.exceptions import as_failure
from finetune_runner.ending.giving_up import give_up_with
from finetune_runner.ending.interruption import Interrupted, ignore_signals, raise_on_sigterm
from finetune_runner.job import Job, open_job, read_document
from finetune_runner.layout import PodLayout
from finetune_runner.outcome import Outcome
from finetune_runner.process import leave, without_compiler
from finetune_runner.redaction import keep_variables_secret

if TYPE_CHECKING:
    from finetune_runner.progress.state import ProgressState

log = logging.getLogger("finetune_runner")


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand; returns the exit code (docs: finetune_api.failures)."""
    options = parser().parse_args(arguments)
    layout = PodLayout.under(options.root, job_file=options.job, work=options.work).with_port(options.progress_port)
    outcome = Outcome(kind=options.command)
    raise_on_sigterm(signal.SIGINT)
    give_up_with(lambda failure: _write_last_word(layout, outcome, failure, frozenset()))
    failure, measuring = _ending(options, layout, outcome)
    ignore_signals()
    if failure:
        log.error("%s: %s", failure.reason, failure)
    _write_last_word(layout, outcome, failure, measuring)
    return failure.exit_code if failure else 0


def _ending(
    options: argparse.Namespace, layout: PodLayout, outcome: Outcome
) -> tuple[FineTuneError | None, frozenset[int]]:
    """How the work ended: its failure, if any; and which passes only measure."""
    measuring: frozenset[int] = frozenset()
    try:
        if options.command == "delete":
            _delete(options, layout)
            return None, measuring
        job = job_for(options, layout)
        measuring = job.plan.measuring
        _work(options)(job, outcome)
    except (Exception, Interrupted) as error:
        failure = as_failure(error)
        log.log(logging.ERROR if failure.reason is Reason.INTERNAL else logging.DEBUG, "traceback", exc_info=error)
        return failure, measuring
    return None, measuring


def _delete(options: argparse.Namespace, layout: PodLayout) -> None:
    from finetune_runner.deletion import delete, read_deletion  # noqa: PLC0415

    logs.configure(level="info", style=options.log_format)
    _make_scratch(layout)
    delete(read_deletion(layout.deletion_file), layout)


def _make_scratch(layout: PodLayout) -> None:
    """HOME and TMPDIR in a pod, whose scratch is empty at first."""
    for name in ("home", "tmp"):
        layout.folder(name)


def job_for(options: argparse.Namespace, layout: PodLayout) -> Job:
    """The job of prepare or a stage, as the command line has it."""
    logs.configure(level="info", style=options.log_format)
    document = read_document(layout.job_file, os.environ.get(DIGEST_ENV, ""))
    logs.configure(level=document.spec.engine.log_level, style=options.log_format)
    keep_variables_secret(document.spec)
    _make_scratch(layout)
    prepared = options.command == "stage" or AGAIN_ENV in os.environ
    return open_job(document, layout, prepared=prepared, keyless=WITHOUT_KEY_ENV in os.environ)


def _work(options: argparse.Namespace) -> Callable[[Job, Outcome], None]:
    """The subcommand's work; a stage's modules are not imported for prepare."""

    def prepare(job: Job, outcome: Outcome) -> None:
        from finetune_runner.prepare import prepare  # noqa: PLC0415

        with _told(job) as progress:
            prepare(job, outcome, progress)

    def stage(job: Job, outcome: Outcome) -> None:
        from finetune_runner.stage import may_compile, run_stage, stage_at  # noqa: PLC0415

        if not may_compile(stage_at(job, options.index)):
            without_compiler()
        with _told(job) as progress:
            run_stage(job, options.index, outcome, progress)

    return prepare if options.command == "prepare" else stage


@contextmanager
def _told(job: Job) -> Iterator["ProgressState"]:
    """Progress that the operator can read meanwhile."""
    from finetune_runner.progress.server import serving  # noqa: PLC0415
    from finetune_runner.progress.state import ProgressState  # noqa: PLC0415

    progress = ProgressState()
    with serving(progress, job.layout.progress_port):
        yield progress


def _write_last_word(
    layout: PodLayout, outcome: Outcome, failure: FineTuneError | None, measuring: frozenset[int]
) -> None:
    layout.termination_message.parent.mkdir(parents=True, exist_ok=True)
    layout.termination_message.write_text(outcome.message(failure, first=measuring, log=logs.last_lines()).encode())


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    program = argparse.ArgumentParser(prog="finetune-runner", description="What the pods of a FineTuneJob run.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", type=Path, default=Path("/"), help="root of the pod's paths (default: /)")
    common.add_argument("--job", type=Path, help="job document (default: /etc/finetune/job.json below the root)")
    common.add_argument("--work", type=Path, help="scratch folder (default: /work below the root)")
    common.add_argument("--progress-port", type=int, default=8080, help="port of /progress; 0: a free one")
    common.add_argument(
        "--log-format",
        choices=("text", "json"),
        default=os.environ.get(LOG_FORMAT_ENV) or "text",
        help=f"lines of the log (default: ${LOG_FORMAT_ENV}, or text)",
    )
    commands = program.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", parents=[common], help="pin and check what comes in, find finished work")
    commands.add_parser("delete", parents=[common], help="remove what a deleted job leaves behind of its own")
    stage = commands.add_parser("stage", parents=[common], help="run the passes of one stage")
    stage.add_argument("index", type=int, help="the stage's position in the plan, from 0")
    return program


def run() -> NoReturn:
    """For the installed script."""
    leave(main())


if __name__ == "__main__":
    run()
