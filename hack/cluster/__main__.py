"""Entry point for ``python3 hack/cluster`` and ``python3 -m hack.cluster`` alike.

Nothing is installed: the folder above this one goes first on the path, in place
of this folder, so that the modules are always ``cluster.<name>``.
"""

import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry or ".").resolve() != HERE)]

from cluster.cli import main  # noqa: E402

signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what is half done is put away
sys.exit(main())
