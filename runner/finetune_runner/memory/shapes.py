"""The sizes of a decoder's layers, from its config.json alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

SPLIT = frozenset({"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3", "granite"})
FUSED = frozenset({"phi3"})
"""One layer makes query, key and value, and one makes gate and up."""
FOUR_NORMS = frozenset({"gemma2", "gemma3_text"})
"""Norms behind attention and MLP too."""
NORMED_HEADS = frozenset({"qwen3", "gemma3_text"})
"""Norms of query and key."""
FLOAT32_NORMS = frozenset({"gemma", "gemma2", "gemma3_text"})
"""Models whose norms multiply with their weights before they give back the type that they were given."""
CAPPED_ATTENTION = frozenset({"gemma2"})
"""Models that cap attention's weights, which PyTorch's fused kernels don't: transformers loads them as eager."""
SCALED_LOGITS = frozenset({"gemma2", "granite"})
"""Models that do something to what the output head makes."""
LOGITS_AT_ONCE = 2**26
"""Values; of more, a plain head makes a part at a time. 0.8 GB with their copies, and enough to keep a GPU busy."""
TIED_UNLESS_SAID = frozenset({"gemma", "gemma2", "gemma3_text", "smollm3"})
"""Models whose output head is the embedding where config.json says nothing of it."""

MOST_LAYERS = 4096
"""A config.json that says more is wrong, or means harm."""
HEADS = "heads"
"""What attention puts out, and keeps."""


def has_plain_head(text: Mapping[str, Any]) -> bool:
    """Whether the logits are what the output head makes.

    Args:
        text: a config.json, or its text_config.
    """
    kind = text.get("model_type")
    return kind in (SPLIT | FUSED) - SCALED_LOGITS and not text.get("final_logit_softcapping")


@dataclass(frozen=True)
class Linear:
    """A linear layer of every block, with how wide its input and output are."""

    path: str
    """Its name within the block."""
    reads: str
    """What its input is; layers that read the same share it."""
    inputs: int
    outputs: int

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs


@dataclass(frozen=True)
class Norm:
    """A norm of every block."""

    path: str
    """Its name within the block."""
    weights: int
    values: int
    """That it makes of each token: of one for each head more than it has weights."""


@dataclass(frozen=True)
class Shapes:
    """A decoder with gated MLPs, in numbers of values."""

    layers: int
    hidden: int
    queries: int
    """Width of all query heads."""
    keys: int
    """Width of all key heads, as of all value heads."""
    heads: int
    intermediate: int
    vocabulary: int
    tied: bool
    """The output head is the embedding."""
    linears: tuple[Linear, ...]
    norms: tuple[Norm, ...]
    norms_in_float32: bool
    capped_attention: bool
    fused: bool
    """Query, key and value are parts of one tensor, which is kept whole as long as one of them is."""
    plain_head: bool
    """The logits are what the output head makes."""

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self | None:
        """The shapes that a config.json describes; None for an architecture that is not known here."""
        text = config.get("text_config") or config
        try:
            kind = text["model_type"]
            return cls._of(text, kind) if kind in SPLIT | FUSED else None
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None

    @classmethod
    def _of(cls, text: Mapping[str, Any], kind: str) -> Self:
        hidden, heads, intermediate = (
            int(text[f]) for f in ("hidden_size", "num_attention_heads", "intermediate_size")
        )
        width = int(text.get("head_dim") or hidden // heads)
        queries, keys = heads * width, int(text.get("num_key_value_heads") or heads) * width
        layers = int(text["num_hidden_layers"])
        if not 0 < layers <= MOST_LAYERS:
            raise ValueError(layers)
        make = _fused if kind in FUSED else _split
        return cls(
            layers=layers,
            hidden=hidden,
            queries=queries,
            keys=keys,
            heads=heads,
            intermediate=intermediate,
            vocabulary=int(text["vocab_size"]),
            tied=bool(text.get("tie_word_embeddings", kind in TIED_UNLESS_SAID)),
            linears=make(hidden, queries, keys, intermediate),
            norms=_norms(kind, hidden, width, queries, keys),
            norms_in_float32=kind in FLOAT32_NORMS,
            capped_attention=kind in CAPPED_ATTENTION,
            fused=kind in FUSED,
            plain_head=has_plain_head(text),
        )

    @property
    def linear_weights(self) -> int:
        """Of all blocks' linear layers, which a quantised base keeps in 4 bits."""
        return self.layers * sum(linear.weights for linear in self.linears)

    @property
    def embedding_weights(self) -> int:
        return self.vocabulary * self.hidden * (1 if self.tied else 2)


def _split(hidden: int, queries: int, keys: int, intermediate: int) -> tuple[Linear, ...]:
    return (
        Linear("self_attn.q_proj", "block", hidden, queries),
        Linear("self_attn.k_proj", "block", hidden, keys),
        Linear("self_attn.v_proj", "block", hidden, keys),
        Linear("self_attn.o_proj", HEADS, queries, hidden),
        Linear("mlp.gate_proj", "norm", hidden, intermediate),
        Linear("mlp.up_proj", "norm", hidden, intermediate),
        Linear("mlp.down_proj", "product", intermediate, hidden),
    )


def _fused(hidden: int, queries: int, keys: int, intermediate: int) -> tuple[Linear, ...]:
    return (
        Linear("self_attn.qkv_proj", "block", hidden, queries + 2 * keys),
        Linear("self_attn.o_proj", HEADS, queries, hidden),
        Linear("mlp.gate_up_proj", "norm", hidden, 2 * intermediate),
        Linear("mlp.down_proj", "product", intermediate, hidden),
    )


def _norms(kind: str, hidden: int, width: int, queries: int, keys: int) -> tuple[Norm, ...]:
    feedforward = ("pre_feedforward_layernorm", "post_feedforward_layernorm") if kind in FOUR_NORMS else ()
    of_block = ("input_layernorm", "post_attention_layernorm", *feedforward)
    of_heads = {"self_attn.q_norm": queries, "self_attn.k_norm": keys} if kind in NORMED_HEADS else {}
    return (
        *(Norm(name, hidden, hidden) for name in of_block),
        *(Norm(name, width, values) for name, values in of_heads.items()),
    )
