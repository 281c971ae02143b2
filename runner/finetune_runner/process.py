"""How a process that needs torch starts and ends sooner: torch and all upon it are over three thousand modules."""

import atexit
import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

COMPILER_OFF = "TORCHDYNAMO_DISABLE"


def without_compiler() -> None:
    """Tells torch not to load its compiler; to be called before torch is imported.

    bitsandbytes hands functions to torch.compile as it is imported, which loads the compiler: a third of all that
    tuning imports. Those functions run as well without. A system's env may set the variable to 0.
    """
    os.environ.setdefault(COMPILER_OFF, "1")


@contextmanager
def imports() -> Iterator[None]:
    """Within it no garbage is collected, and what it leaves is never looked at again, since modules stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # an interpreter that ends the usual way takes them down
        gc.enable()


def leave(code: int) -> NoReturn:
    """Ends the process at once: to take all modules down takes seconds, and a thread may still be uploading."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
