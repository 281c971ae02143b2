"""The way out for a process whose main thread does not come back: another thread writes the last word and ends it."""

import faulthandler
import logging
from collections.abc import Callable
from typing import NoReturn

from finetune_api.failures import FineTuneError
from finetune_runner.process import leave

log = logging.getLogger(__name__)

_last_word: Callable[[FineTuneError], None] | None = None
"""There is one process and one end of it."""


def give_up_with(last_word: Callable[[FineTuneError], None]) -> None:
    """Sets what is done with the failure before the process ends."""
    global _last_word  # noqa: PLW0603
    _last_word = last_word


def give_up(failure: FineTuneError) -> NoReturn:
    """Ends the process from whichever thread, with what all threads were at in the log."""
    log.error("%s: %s", failure.reason, failure)
    faulthandler.dump_traceback(all_threads=True)
    if _last_word:
        _last_word(failure)
    leave(failure.exit_code)
