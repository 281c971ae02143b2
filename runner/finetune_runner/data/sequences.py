"""Rows' tokens become training sequences: each by itself, joined and cut, or packed side by side. Pure."""

import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from finetune_api.resource.data import Preprocess
from finetune_runner.data.tokens import Encoded

OPEN = 64
"""Packed sequences that still take rows, at a time: more waste less room, and cost more memory."""


@dataclass(frozen=True)
class TokenSequence:
    """What the model sees at once."""

    ids: Sequence[int]
    counts: Sequence[bool]
    """Which tokens count for the loss; never the first of a row that is packed, nor the first of all."""
    starts: tuple[int, ...] = (0,)
    """Where rows begin that must not see each other."""

    @property
    def positions(self) -> list[int]:
        """Position of each token in its row."""
        ends = (*self.starts[1:], len(self.ids))
        return [position for start, end in zip(self.starts, ends, strict=True) for position in range(end - start)]


def joins(preprocess: Preprocess) -> bool:
    """Whether rows are cut as one text, so that each must come whole."""
    return preprocess.strategy.startswith("join")


def build_sequences(
    rows: Callable[[], Iterable[Encoded]], preprocess: Preprocess, joiner: Sequence[int]
) -> Iterator[TokenSequence]:
    """The training sequences, those left out in which nothing counts.

    Args:
        rows: goes through the rows from the beginning, each time it is called.
        preprocess: says how.
        joiner: tokens between joined rows.
    """
    shortest = preprocess.max_seq_len if preprocess.drop_short_sequences else 0
    for sequence in _all(rows, preprocess, joiner):
        if any(sequence.counts) and len(sequence.ids) >= shortest:
            yield sequence


def _all(
    rows: Callable[[], Iterable[Encoded]], preprocess: Preprocess, joiner: Sequence[int]
) -> Iterator[TokenSequence]:
    length, counted = preprocess.max_seq_len, preprocess.loss == "all"
    if preprocess.strategy == "packing":
        return packed(rows(), length)
    if preprocess.strategy == "join":
        return windows(joined(rows(), joiner, counted=counted), length, length)
    if preprocess.strategy == "join-sliding-window":
        return windows(joined(rows(), joiner, counted=counted), length, preprocess.stride)
    if preprocess.strategy == "join-random":
        return random_windows(rows(), joiner, length, counted=counted, seed=preprocess.random_seed)
    return (TokenSequence(row.ids, row.counts) for row in rows())


Token = tuple[int, bool]


def joined(rows: Iterable[Encoded], joiner: Sequence[int], *, counted: bool) -> Iterator[Token]:
    """All rows' tokens one after another, each with whether it counts; `counted` says whether the joiner does."""
    for number, row in enumerate(rows):
        if number:
            yield from ((token, counted) for token in joiner)
        # A row's first token is predicted here, from the row before; it counts where all of the text does.
        yield from zip(row.ids, [counted and number > 0, *row.counts[1:]], strict=False)


def windows(tokens: Iterable[Token], length: int, stride: int) -> Iterator[TokenSequence]:
    """Sequences of `length`, every `stride` tokens; the last may be shorter. Each token counts in one of them."""
    held: list[Token] = []
    context = 0
    for token in tokens:
        held.append(token)
        if len(held) == length:
            yield _window(held, context)
            held, context = held[stride:], length - stride
    if len(held) > context:
        yield _window(held, context)


def random_windows(
    rows: Iterable[Encoded], joiner: Sequence[int], length: int, *, counted: bool, seed: int
) -> Iterator[TokenSequence]:
    """As many sequences as joining gives, each from a randomly chosen row on."""
    ids, flags, begins = array("i"), bytearray(), array("q")  # 5 bytes a token
    for row in rows:
        if ids:
            ids.extend(joiner)
            flags += bytes([counted]) * len(joiner)
        begins.append(len(ids))
        ids.extend(row.ids)
        flags += bytes([counted, *row.counts[1:]] if row.ids else [])
    chosen = random.Random(seed)  # noqa: S311
    full = [begin for begin in begins if len(ids) - begin >= length] or list(begins[:1])
    for _ in range(-(-len(ids) // length)):
        begin = chosen.choice(full)
        end = begin + length
        yield _window(list(zip(ids[begin:end], map(bool, flags[begin:end]), strict=True)), 0)


def packed(rows: Iterable[Encoded], length: int) -> Iterator[TokenSequence]:
    """Whole rows side by side, each put where it leaves the least room."""
    bins: list[list[Encoded]] = []
    for row in (row for row in rows if row.ids):
        fitting = [bin_ for bin_ in bins if _size(bin_) + len(row.ids) <= length]
        if fitting:
            max(fitting, key=_size).append(row)
            continue
        if len(bins) == OPEN:
            fullest = max(range(OPEN), key=lambda index: _size(bins[index]))
            yield _pack(bins.pop(fullest))
        bins.append([row])
    yield from (_pack(rest) for rest in bins)


def _window(tokens: list[Token], context: int) -> TokenSequence:
    """The first `context` tokens don't count, nor ever the first, since nothing predicts it."""
    silent = max(context, 1)
    counts = [counted and at >= silent for at, (_, counted) in enumerate(tokens)]
    return TokenSequence([token for token, _ in tokens], counts)


def _size(rows: list[Encoded]) -> int:
    return sum(len(row.ids) for row in rows)


def _pack(rows: list[Encoded]) -> TokenSequence:
    starts = [sum(len(row.ids) for row in rows[:index]) for index in range(len(rows))]
    return TokenSequence(
        [token for row in rows for token in row.ids],
        [counted for row in rows for counted in row.counts],
        tuple(starts),
    )
