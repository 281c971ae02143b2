"""What lies over .venv where there is a CUDA device: .venv/cuda, from its lock; /opt/cuda in the image runner-cuda."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from venv import VENV

from images.programs import uv
from images.talk import step

CHECKOUT = Path(__file__).resolve().parents[1]
LOCK = CHECKOUT / "requirements/cuda.txt"
FOLDER = VENV / "cuda"
LIBRARIES = FOLDER / "lib"
STAMP = FOLDER / "finetune-lock"


def main() -> None:
    """Fill .venv/cuda unless it already holds what the lock says."""
    if STAMP.exists() and STAMP.read_text() == LOCK.read_text():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    with step("making .venv/cuda", "a minute"):
        env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
        install = [uv(), "pip", "install", "-q", "--no-deps", "--target", FOLDER]
        subprocess.run([*install, "--require-hashes", "--requirement", LOCK], env=env, check=True)
        link_libraries()
    STAMP.write_text(LOCK.read_text())


def link_libraries() -> None:
    """What onnxruntime is linked to, in one folder: torch finds these libraries by itself, onnxruntime does not."""
    LIBRARIES.mkdir()
    for folder in (*VENV.glob("lib/python3*/site-packages"), FOLDER):
        for library in folder.glob("nvidia/*/lib/lib*.so.*"):
            (LIBRARIES / library.name).symlink_to(library)


if __name__ == "__main__":
    main()
