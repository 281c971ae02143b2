"""The machine-learning environment as a folder of this machine, for pods to mount at /opt/venv.

It comes from the same lock as the runner's image and fits the base image: same interpreter
path, same minor version. Importing it into a cluster as an image layer takes minutes the
first time, and twelve gigabytes; mounting it takes nothing.
"""

import hashlib
import os
import shutil
from pathlib import Path

from images import disk, locking, places
from images.errors import ImagesError
from images.programs import uv
from images.shell import run
from images.talk import say, step

LOCK = places.CHECKOUT / "requirements/runner.txt"
INTERPRETER = Path("/usr/bin/python3")
MINOR = "3.11"  # of the base image
RECIPE_VERSION = "1"
POD_GROUP = 10001
"""The images' group, which is the fsGroup of the operator's pods."""


def path() -> Path:
    recipe = RECIPE_VERSION.encode() + LOCK.read_bytes()
    return places.environments_dir() / hashlib.sha256(recipe).hexdigest()[:12]


def ensure() -> Path:
    """Make the environment of the current lock unless it is there; return its folder."""
    wanted = path()
    with locking.one_at_a_time("ml-env"):
        if wanted.exists():
            say(f"{wanted} is up to date")
            open_to_pods(wanted)
            return wanted
        require_interpreter()
        disk.require(places.cache_dir(), 10, "the machine-learning environment")
        with step(f"making {wanted}", "4 minutes, 1 when the downloads are cached"):
            make(wanted)
        open_to_pods(wanted)
        return wanted


def require_interpreter() -> None:
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = run([INTERPRETER, "-c", question]).strip() if INTERPRETER.exists() else "none"
    if found != MINOR:
        raise ImagesError(
            f"{INTERPRETER} must be Python {MINOR}, as in the base image, and is {found}: "
            "build the full runner image instead"
        )


def make(wanted: Path) -> None:
    """Fill a folder aside and rename it, so that a half-made environment is never found."""
    partial = wanted.with_name(f"{wanted.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    run([uv(), "venv", "--no-project", "--relocatable", "--python", INTERPRETER, partial], env=env)
    install = ("pip", "install", "--require-hashes", "--no-deps", "--compile-bytecode")
    run([uv(), *install, "--python", partial / "bin/python", "--requirements", LOCK], env=env)
    partial.rename(wanted)


def open_to_pods(folder: Path) -> None:
    """Make the folder itself look as if its files were the pods' already.

    Else the kubelet goes through all of them for each pod, and logs two lines about each that it can't change on a
    read-only volume: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/, fsGroupChangePolicy.
    """
    os.chown(folder, -1, POD_GROUP)
    folder.chmod(0o2775)
