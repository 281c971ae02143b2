"""Runs `finetune` in this process, as a shell would see it; and as a process of its own where time counts."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from finetune_cli.__main__ import BUG_EXIT, main

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def is_bug(self) -> bool:
        return self.code == BUG_EXIT or "Traceback" in self.err


class CommandLine:
    """The command line, with what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Ended:
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)


@pytest.fixture
def finetune(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


def run_process(*arguments: str | Path, cwd: Path | None = None) -> Ended:
    """The program in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "finetune_cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
