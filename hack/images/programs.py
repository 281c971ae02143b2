"""Find the programs a build needs, and install the missing ones."""

import os
import shutil
import sys

from images import locking, places
from images.errors import ImagesError
from images.shell import run
from images.talk import step

# Waits for another apt instead of failing on its lock. None of these packages has a service.
APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600")


def require_packages(*names: str) -> None:
    """Install Debian packages whose program of the same name is missing."""
    missing = [name for name in names if not shutil.which(name)]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise ImagesError(f"{', '.join(missing)} missing: install it (on Debian as root it is done for you)")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installing {', '.join(missing)}", "half a minute"):
        run([*APT, "update"], env=env)
        run([*APT, "install", "--no-install-recommends", *missing], env=env)


def uv() -> str:
    """The machine's uv, else one of our own that nothing else sees."""
    if found := shutil.which("uv"):
        return found
    private = places.tools_dir() / "bin/uv"
    with locking.one_at_a_time("uv"):
        if not private.exists():
            with step("installing uv privately", "half a minute"):
                run([sys.executable, "-m", "venv", places.tools_dir()])
                run([places.tools_dir() / "bin/pip", "install", "--quiet", "uv"])
    return str(private)
