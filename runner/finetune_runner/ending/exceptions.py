"""Which failure an exception is: the one place that maps what libraries raise to the closed set of reasons."""

import errno
from collections.abc import Iterator

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.interruption import Interrupted, raised

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_SPACE_TEXT = "No space left on device"
HOST_MEMORY_TEXTS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "Cannot allocate memory",
)
"""torch's own allocator, and the system's ENOMEM (as where a file cannot be mapped), which torch has as text."""


def as_failure(error: BaseException) -> FineTuneError:
    """The failure an exception stands for; one of ours stands for itself.

    What else is raised after Interrupted was comes of that, which a library may have swallowed.
    """
    if isinstance(error, FineTuneError):
        return error
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        return _interrupted(str(error) or "the pod was asked to stop")
    if failure := resource_failure(error):
        return failure
    if raised():
        return _interrupted(f"the pod was asked to stop, and then: {_sentence(error)}")
    return FineTuneError(
        Reason.INTERNAL, _sentence(error), remedy="The pod's log has the traceback; please report it as a bug."
    )


def _interrupted(how: str) -> FineTuneError:
    remedy = "Committed passes and checkpoints are kept; a new pod goes on."
    return FineTuneError(Reason.INTERRUPTED, how, remedy=remedy)


def resource_failure(error: BaseException) -> FineTuneError | None:
    """The failure, where memory or disk ran out: not to be held against a model that was being read."""
    found = (_resource_failure(cause) for cause in _causes(error))
    return next((failure for failure in found if failure), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, and those it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _resource_failure(error: BaseException) -> FineTuneError | None:
    if _is_accelerator_memory(error):
        return FineTuneError(
            Reason.OUT_OF_ACCELERATOR_MEMORY,
            _sentence(error),
            remedy="Lower training.perDeviceTrainBatchSize or preprocess.maxSeqLen, or use qlora.",
        )
    if isinstance(error, MemoryError) or any(text in str(error) for text in HOST_MEMORY_TEXTS):
        return FineTuneError(
            Reason.OUT_OF_HOST_MEMORY, _sentence(error), remedy="Raise the system's resources: memory."
        )
    if (isinstance(error, OSError) and error.errno in NO_SPACE) or NO_SPACE_TEXT in str(error):
        return FineTuneError(Reason.OUT_OF_DISK, _sentence(error), remedy="Raise the system's scratchSize.")
    return None


def _is_accelerator_memory(error: BaseException) -> bool:
    """torch.OutOfMemoryError, told by its name: torch is not imported for this."""
    names = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    return any(name.startswith("torch") and name.endswith(".OutOfMemoryError") for name in names)


def _sentence(error: BaseException) -> str:
    """The exception's kind and the first line of its text."""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
