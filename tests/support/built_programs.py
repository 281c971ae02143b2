"""Programs that hack/cluster builds, of the versions it names: others may lie in the cache beside them."""

import subprocess
import sys
from pathlib import Path

import pytest

HACK = Path(__file__).parents[2] / "hack"


def program(name: str) -> str:
    """Its path; built from source on the first use on a machine, which takes a minute or more."""
    path = _path(name)
    if not path.exists():
        subprocess.run([sys.executable, str(HACK / "cluster"), "build", "--component", name], check=True)
    return str(path)


def _path(name: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HACK))  # no longer than that: hack/venv.py and hack/cuda.py have names of others
        from cluster import binaries

    return binaries.path(name)
