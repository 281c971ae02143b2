"""How long a prompt and its answer take. Pure."""

from collections.abc import Sequence
from itertools import chain, cycle, islice


def prompt_of(texts: Sequence[list[int]], length: int) -> list[int]:
    """A prompt of so many tokens: the texts' own, one behind the other, from the first again where they end."""
    return list(islice(cycle(chain.from_iterable(texts)), length))


def first_token_seconds(times: Sequence[float]) -> float:
    """Time to first token.

    Args:
        times: of a run, seconds from the prompt until each new token.
    """
    return times[0]


def tokens_a_second(times: Sequence[float]) -> float:
    """Pace of generation, behind the first token, of a run with two tokens or more; args as of first_token_seconds."""
    return (len(times) - 1) / (times[-1] - times[0])
