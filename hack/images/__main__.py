"""Entry point for ``python3 hack/images`` and ``python3 -m hack.images`` alike.

Nothing is installed: the folder above this one goes first on the path, in place
of this folder, so that the modules are always ``images.<name>``.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry or ".").resolve() != HERE)]

from images.cli import main  # noqa: E402

sys.exit(main())
