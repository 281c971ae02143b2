"""How long the hub is left alone after it has failed."""

from collections.abc import Iterator
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store import patience

TOO_MANY = 429
BUSY = (TOO_MANY, 503)
"""Status codes of one that is there, and asks to come again later."""


def pause_after(error: FineTuneError, *, answered: bool) -> float | None:
    """Seconds until the next try, for `patiently`: as many as the hub asks for, if that is more than usual.

    Args:
        error: the failure, raised from what the hub's library has raised.
        answered: whether the hub has answered before; else it is waited for only where it asks for that.
    """
    busy = next((answer for answer in _answers(error) if answer.status_code in BUSY), None)
    if error.reason is not Reason.HUB_UNAVAILABLE or not (answered or busy is not None):
        return None
    return max(patience.PAUSE_SECONDS, _asked(busy) if busy is not None else 0)


def is_limited(error: BaseException) -> bool:
    """Whether the hub has refused since it was asked too much."""
    return any(answer.status_code == TOO_MANY for answer in _answers(error))


def _answers(error: BaseException | None) -> Iterator[Any]:
    """The hub's answers among an exception and those it was raised from."""
    while error is not None:
        if (answer := getattr(error, "response", None)) is not None:
            yield answer
        error = error.__cause__


def _asked(answer: Any) -> float:
    """Seconds that the hub asks to wait: by Retry-After, or until its rate limit's window ends; 0: it does not say."""
    from huggingface_hub.utils import parse_ratelimit_headers  # noqa: PLC0415

    after = answer.headers.get("Retry-After", "")
    if after.isdecimal():
        return float(after)
    limit = parse_ratelimit_headers(answer.headers)
    return float(limit.reset_in_seconds) if limit else 0
