"""What of each architecture's GGUF header transformers uses, and what it takes for granted.

Sources: GGUF_CONFIG_MAPPING in transformers/integrations/ggml.py, the defaults of the architectures' config classes,
and llama.cpp's convert_hf_to_gguf.py, which writes the files. Architectures: those whose logits a test compares with
the original's.
"""

from typing import Any

from finetune_runner.sources.gguf_header import Header

ARCHITECTURES = ("gemma2", "gemma3", "llama", "phi3", "qwen2", "qwen3")
"""general.architecture. Not starcoder2: transformers passes over its rope.freq_base."""

OF_THE_MODEL = frozenset({"token_embd.weight", "output_norm.weight", "output.weight"})
_FFN = {"ffn_norm.weight", "ffn_up.weight", "ffn_down.weight"}
_SPLIT = {f"{name}.weight" for name in ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate")} | _FFN
_GEMMA = _SPLIT | {"post_attention_norm.weight", "post_ffw_norm.weight"}
_HEAD_NORMS = {"attn_q_norm.weight", "attn_k_norm.weight"}
OF_THE_BLOCK = {
    "gemma2": _GEMMA,
    "gemma3": _GEMMA | _HEAD_NORMS,
    "llama": _SPLIT,
    "phi3": {"attn_norm.weight", "attn_qkv.weight", "attn_output.weight"} | _FFN,
    "qwen2": _SPLIT | {"attn_q.bias", "attn_k.bias", "attn_v.bias"},
    "qwen3": _SPLIT | _HEAD_NORMS,
}
"""Tensors of a block."""

_USED = {
    "context_length",
    "block_count",
    "feed_forward_length",
    "embedding_length",
    "vocab_size",
    "rope.freq_base",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "rope.scaling.original_context_length",  # without a type of scaling it says nothing
}
_WINDOW = {"attention.sliding_window"}
"""Of phi3 it is our conversion that uses it."""
_ASSUMED: dict[str, dict[str, Any]] = {
    "gemma2": {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
    "gemma3": {"rope.freq_base_swa": 10000.0, "attention.sliding_window_pattern": 6},
}
_HEAD_DIMS = {"gemma2": 256, "gemma3": 256, "qwen3": 128}
"""Dimensions of a head that transformers takes for granted; Gemma's queries are scaled by it (27B: by another)."""


def used_keys(architecture: str) -> set[str]:
    """The keys, without their prefix, that become part of the model's config."""
    return _USED | (_WINDOW if architecture in ("gemma2", "gemma3", "phi3") else set())


def assumed(header: Header) -> dict[str, Any]:
    """Keys, without their prefix, to the only value with which the model is right."""
    head_dim = _head_dim(header)
    same = dict.fromkeys(("attention.key_length", "attention.value_length", "rope.dimension_count"), head_dim)
    return same | {"rope.scaling.type": "none", "expert_count": 0} | _ASSUMED.get(header.architecture, {})


def _head_dim(header: Header) -> int | None:
    architecture = header.architecture
    if architecture in _HEAD_DIMS:
        return _HEAD_DIMS[architecture]
    if architecture == "llama" and (rotary := header.metadata.get("llama.rope.dimension_count")):
        return int(rotary)  # taken for the head's
    width, heads = (
        header.metadata.get(f"{architecture}.{key}") for key in ("embedding_length", "attention.head_count")
    )
    return width // heads if width and heads else None
