"""A stage as a process of its own, as in a pod: its memory is freed with it, and a crash takes nothing else along."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from finetune_api.failures import FineTuneError, Reason, reason_of_exit_code
from finetune_api.messages import TerminationMessage
from finetune_api.resource.progress import Progress
from finetune_runner.passes.child_process import end

PULL_SECONDS = 0.3
PROGRESS_BYTES = 65536
SIGNALLED = 128


def run_stage(
    index: int,
    root: Path,
    *,
    log_file: Path,
    environment: Mapping[str, str],
    grace_seconds: float,
    on_progress: Callable[[Progress], None],
) -> TerminationMessage:
    """Runs a stage to its end.

    Args:
        index: its position in the plan.
        root: the pod's root.
        log_file: where its log goes.
        environment: variables besides this process's own.
        grace_seconds: what it has for a checkpoint once it is asked to stop.
        on_progress: told how far the running pass is.

    Raises:
        FineTuneError: why it failed.
    """
    port = _free_port()
    command = [sys.executable, "-m", "finetune_runner", "stage", str(index)]
    command += ["--root", str(root), "--progress-port", str(port)]
    last_word = root / "dev/termination-log"
    last_word.unlink(missing_ok=True)
    with log_file.open("ab") as log:
        code = _to_its_end(command, log.fileno(), environment, grace_seconds, lambda: _pull(port, on_progress))
    return _ending(code, last_word, log_file)


def _to_its_end(
    command: list[str], log: int, environment: Mapping[str, str], grace_seconds: float, pull: Callable[[], None]
) -> int:
    with subprocess.Popen(
        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **environment}
    ) as child:
        try:
            while True:
                try:
                    return child.wait(PULL_SECONDS)
                except subprocess.TimeoutExpired:
                    pull()
        finally:
            end(child, grace_seconds)


def _ending(code: int, last_word: Path, log_file: Path) -> TerminationMessage:
    message = _message(last_word)
    if message and message.failure:
        said = message.failure
        raise FineTuneError(said.reason, said.message, remedy=f"{said.remedy} Log: {log_file}".strip(), path=said.path)
    if code or message is None:
        reason = reason_of_exit_code(code if code >= 0 else SIGNALLED - code) if code else Reason.INTERNAL
        raise FineTuneError(reason, f"the stage ended with {code} and no last word", remedy=f"Log: {log_file}")
    return message


def _message(file: Path) -> TerminationMessage | None:
    try:
        return TerminationMessage.decode(file.read_text())
    except (OSError, ValueError):
        return None


def _pull(port: int, on_progress: Callable[[Progress], None]) -> None:
    """Progress is a courtesy: a stage that does not answer goes on."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/progress", timeout=1) as answer:
            document = json.loads(answer.read(PROGRESS_BYTES))
        progress = Progress.model_validate(document) if document else None
    except (OSError, ValueError, ValidationError):
        return
    if progress:
        on_progress(progress)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
