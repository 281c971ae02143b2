"""The private virtual environment of a checkout: .venv, from the lock, for tools and tests.

Made anew only when the lock, pyproject.toml or the interpreter changed. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from images import locking
from images.errors import ImagesError
from images.programs import uv
from images.shell import run
from images.talk import say, step

CHECKOUT = Path(__file__).resolve().parents[1]
VENV = CHECKOUT / ".venv"
LOCK = CHECKOUT / "requirements/dev.txt"
STAMP = VENV / "finetune-lock"
DEBIAN_PYTHON = Path("/usr/bin/python3")
OLDEST = (3, 11)


def main() -> int:
    """Fill .venv unless it already holds what the lock says; 1 where it can't be filled."""
    try:
        with locking.one_at_a_time("venv"):
            ensure()
    except ImagesError as error:
        say(f"error: {error}")
        return 1
    return 0


def ensure() -> None:
    interpreter = _interpreter()
    known = [LOCK.read_bytes(), (CHECKOUT / "pyproject.toml").read_bytes(), str(interpreter).encode()]
    wanted = hashlib.sha256(b"".join(known)).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    STAMP.unlink(missing_ok=True)  # from here on it holds neither what it held nor what it shall
    with step("making .venv", "4 minutes, 1 when the downloads are cached"):
        _fill(interpreter)
    STAMP.write_text(wanted)
    say(".venv is up to date")


def _interpreter() -> Path:
    """Debian's own where it is new enough: it is the images', and a fifth faster than one compiled without PGO."""
    asked = [DEBIAN_PYTHON, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"]
    found = DEBIAN_PYTHON.exists() and subprocess.run(asked, check=False).returncode == 0
    return DEBIAN_PYTHON if found else Path(sys.executable)


def _fill(interpreter: Path) -> None:
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    program = uv()
    if VENV.exists() and not _made_by(interpreter):
        shutil.rmtree(VENV)
    if not VENV.exists():
        run([program, "venv", "-q", "--no-project", "--python", interpreter, VENV], env=env)
    install = [program, "pip", "install", "-q"]
    run([*install, "--require-hashes", "--requirement", LOCK], env=env)
    run([*install, "--no-deps", "--editable", CHECKOUT], env=env)


def _made_by(interpreter: Path) -> bool:
    return (VENV / "bin/python").resolve() == interpreter.resolve()


if __name__ == "__main__":
    sys.exit(main())
