"""The private virtual environment of a checkout: .venv, from the lock, for tools and tests.

Made anew only when the lock or pyproject.toml changed. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from images.programs import uv
from images.talk import say, step

CHECKOUT = Path(__file__).resolve().parents[1]
VENV = CHECKOUT / ".venv"
LOCK = CHECKOUT / "requirements/dev.txt"
STAMP = VENV / "finetune-lock"


def main() -> None:
    """Fill .venv unless it already holds what the lock says."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (CHECKOUT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    with step("making .venv", "4 minutes, 1 when the downloads are cached"):
        _fill()
    STAMP.write_text(wanted)
    say(".venv is up to date")


def _fill() -> None:
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    program = uv()
    if not VENV.exists():
        subprocess.run([program, "venv", "-q", "--no-project", "--python", sys.executable, VENV], env=env, check=True)
    install = [program, "pip", "install", "-q"]
    subprocess.run([*install, "--require-hashes", "--requirement", LOCK], env=env, check=True)
    subprocess.run([*install, "--no-deps", "--editable", CHECKOUT], env=env, check=True)


if __name__ == "__main__":
    main()
