"""How many floating-point operations a model's training takes by its definition. Pure.

Counted as in PaLM, appendix B (arXiv:2204.02311): 2 operations for each weight and token in the forward pass, as many
for the gradient of a layer's input, and as many for that of its weights; 4·width operations for each pair of tokens
that attention brings together, and twice that backwards. What is computed again to save memory, and padding, do not
count. A frozen weight needs no gradient of its own, so it takes 4 operations instead of 6. Tokens that do not count for
the loss have no logits here, so the output head works for the others alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Attention:
    """Layers whose attention is alike."""

    layers: int
    width: int
    """Of all query heads together."""
    window: int | None
    """Tokens that one sees; None: all before it."""


@dataclass(frozen=True)
class Decoder:
    """What of a model multiplies, in numbers of weights."""

    frozen: int
    """In linear layers that are not trained, without the output head."""
    trained: int
    """Of adapters, and of modules trained in full."""
    head: int
    """Of the output head."""
    head_is_trained: bool
    attention: tuple[Attention, ...]


@dataclass(frozen=True)
class Tokens:
    """What of a batch is worked on."""

    all: int
    """Without padding."""
    counted: int
    """That count for the loss."""
    pairs: Mapping[int | None, int]
    """By window: pairs of tokens, each with all that stand in reach. A sequence of n tokens has n² without a window."""


@dataclass(frozen=True)
class Work:
    """What training on a batch comes to."""

    tokens: int
    """Without padding."""
    positions: int
    """With padding."""
    flops: int
    """Floating-point operations by the model's definition; 0 where it is not known what it computes."""


def training_flops(decoder: Decoder, tokens: Tokens) -> int:
    """Operations of forward and backward pass."""
    layers = tokens.all * (4 * decoder.frozen + 6 * decoder.trained)
    head = tokens.counted * decoder.head * (6 if decoder.head_is_trained else 4)
    attention = sum(12 * kind.layers * kind.width * tokens.pairs[kind.window] for kind in decoder.attention)
    return layers + head + attention
