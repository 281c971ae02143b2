"""Every way to end is one of the closed set of reasons."""

import contextlib
import errno
import signal

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.exceptions import as_failure
from finetune_runner.ending.interruption import Interrupted, deferred


class OutOfMemoryError(RuntimeError):
    """As torch's: told by its module and name."""


OutOfMemoryError.__module__ = "torch"


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (FineTuneError(Reason.NAN_LOSS, "nan"), Reason.NAN_LOSS, 16),
        (Interrupted(), Reason.INTERRUPTED, 143),
        (KeyboardInterrupt(), Reason.INTERRUPTED, 143),
        (MemoryError(), Reason.OUT_OF_HOST_MEMORY, 137),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: …"), Reason.OUT_OF_HOST_MEMORY, 137),
        (RuntimeError("unable to mmap 4096 bytes: Cannot allocate memory (12)"), Reason.OUT_OF_HOST_MEMORY, 137),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Reason.OUT_OF_HOST_MEMORY, 137),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), Reason.OUT_OF_ACCELERATOR_MEMORY, 18),
        (OSError(errno.ENOSPC, "No space left on device"), Reason.OUT_OF_DISK, 19),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Reason.OUT_OF_DISK, 19),
        (RuntimeError("I/O error: No space left on device (os error 28)"), Reason.OUT_OF_DISK, 19),
        (ValueError("first line\nsecond line"), Reason.INTERNAL, 1),
    ],
)
def test_an_exception_has_a_reason_and_an_exit_code(error, reason, code):
    failure = as_failure(error)
    assert failure.reason is reason
    assert failure.exit_code == code


def test_a_full_disk_behind_another_exception_is_found():
    error = ValueError("could not save")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert as_failure(error).reason is Reason.OUT_OF_DISK


def test_an_unknown_exception_is_told_in_a_sentence():
    assert as_failure(ValueError("first line\nsecond line")).message == "ValueError: first line"


@pytest.mark.usefixtures("runner_signals")
def test_what_comes_of_a_request_to_stop_that_a_library_swallowed_is_an_interruption():
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGTERM)
    failure = as_failure(ModuleNotFoundError("Could not import module 'set_seed'."))
    assert failure.reason is Reason.INTERRUPTED
    assert failure.message.endswith("and then: ModuleNotFoundError: Could not import module 'set_seed'.")
    assert as_failure(FineTuneError(Reason.DEADLINE_EXCEEDED, "too late")).reason is Reason.DEADLINE_EXCEEDED


@pytest.mark.usefixtures("runner_signals")
def test_a_bug_in_what_ends_by_itself_when_it_is_asked_to_stays_one():
    with contextlib.suppress(Interrupted), deferred(60):
        signal.raise_signal(signal.SIGTERM)
        failure = as_failure(ValueError("no checkpoint"))
    assert failure.reason is Reason.INTERNAL


def test_an_interruption_is_not_caught_by_what_handles_failures():
    assert not issubclass(Interrupted, Exception)
