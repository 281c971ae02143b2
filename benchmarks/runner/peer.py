"""The peer's environment, made once: .bench/olive, from olive.txt."""

import os
import subprocess
from pathlib import Path

from images.programs import uv

PINS = Path(__file__).parent / "olive.txt"


def python(folder: Path) -> Path:
    """Its Python; installs it first where that has not been done."""
    program, stamp = folder / "bin" / "python", folder / "pins"
    if not stamp.exists() or stamp.read_bytes() != PINS.read_bytes():
        print("installing the peer (a few minutes, 4 GB)", flush=True)
        env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
        subprocess.run([uv(), "venv", "-q", "--no-project", "--clear", "--python", "3.12", folder], env=env, check=True)
        subprocess.run([uv(), "pip", "install", "-q", "--python", program, "-r", PINS], env=env, check=True)
        stamp.write_bytes(PINS.read_bytes())
    return program
