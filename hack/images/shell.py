"""Run programs: quiet when they succeed, with their last words when they fail."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from images.errors import ImagesError

LAST_LINES = 30


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Return standard output; raise with the end of both outputs when the program fails."""
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    if done.returncode:
        raise ImagesError(failure(command, done.returncode, done.stdout + done.stderr))
    return done.stdout


def succeeds(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> bool:
    return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0


def pipe(source: Sequence[str | Path], sink: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
    """Run ``source | sink`` and fail when either fails."""
    with subprocess.Popen(source, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        second = subprocess.run(sink, stdin=first.stdout, text=True, capture_output=True, check=False)
        _, errors = first.communicate()
    if second.returncode:
        raise ImagesError(failure(sink, second.returncode, second.stdout + second.stderr))
    if first.returncode:
        raise ImagesError(failure(source, first.returncode, errors.decode(errors="replace")))


def failure(command: Sequence[str | Path], code: int, words: str) -> str:
    tail = "\n".join(words.splitlines()[-LAST_LINES:])
    return f"{' '.join(map(str, command))} ended with {code}:\n{tail}"
