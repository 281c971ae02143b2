"""Whether the demo can work on this machine, asked before anything is changed."""

import shutil
import sys

from demo.alone import alone
from demo.commands import DemoError, hack

COLD_GIB = 45
"""What programs, images and the cluster need at their largest, when nothing is there."""
WARM_GIB = 16
"""What another run needs when the programs are built and the runner's dependencies are there."""


def main() -> int:
    """Check, and say what is wrong; 0 when nothing is."""
    try:
        check()
        with alone():  # told before anything is installed, too; the demo itself takes it for as long as it runs
            pass
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def check() -> None:
    """Debian, root, Python, Go and free disk.

    Raises:
        DemoError: something is missing; the findings were printed.
    """
    hack("cluster", "preflight", "--disk", str(_wanted()))


def _wanted() -> int:
    return WARM_GIB if _runner_is_built() else COLD_GIB


def _runner_is_built() -> bool:
    """Whether the runner image's heavy layers are in the build storage; our code on top takes seconds."""
    if sys.version_info < (3, 11) or not shutil.which("buildah"):
        return False
    from images import building  # noqa: PLC0415 - no older Python can
    from images.catalogue import IMAGES  # noqa: PLC0415

    return building.dependencies_are_built(IMAGES["runner"])
