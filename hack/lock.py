"""Pins every dependency with hashes: requirements/dev.txt for all, a subset of it for each image.

Plain requirement files, since they name no package index: each machine uses its own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from images.programs import uv

CHECKOUT = Path(__file__).resolve().parents[1]
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--quiet",
)
BASE = ("pydantic", "pyyaml")
"""What every extra brings; beside `cuda`, another environment does."""


def main() -> None:
    pin("dev")
    for extra in ("operator", "runner"):
        pin(extra, "--constraint", "requirements/dev.txt")
    pin("cuda", "--no-deps", *(f"--no-emit-package={name}" for name in BASE))


def pin(extra: str, *more: str) -> None:
    """Write requirements/EXTRA.txt."""
    target = ["--extra", extra, "--output-file", f"requirements/{extra}.txt"]
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    command = [uv(), "pip", "compile", "pyproject.toml", *OPTIONS, *target, *more]
    subprocess.run(command, cwd=CHECKOUT, env=env, check=True)


if __name__ == "__main__":
    main()
