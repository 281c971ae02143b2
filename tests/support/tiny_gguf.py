"""Writes a tiny model as a GGUF file, as llama.cpp's convert_hf_to_gguf.py would: its names, its layouts, its keys."""

import json
from pathlib import Path
from typing import Any

NORMS_PLUS_ONE = ("gemma2", "gemma3")
ARCHITECTURE_OF = {"gemma3_text": "gemma3"}
NORMAL, CONTROL = 1, 3


def write_gguf(model: Path, file: Path, *, quantised: bool = False, split: str = "gpt-2", **metadata: Any) -> Path:
    """A transformers directory as a .gguf file in float32, or its matrices in Q8_0.

    split: tokenizer.ggml.pre. metadata: further keys, with two underscores for a dot.
    """
    import gguf
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(model)
    config = network.config
    architecture = ARCHITECTURE_OF.get(config.model_type, config.model_type)
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(file, architecture)
    _add_config(writer, config)
    for key, value in metadata.items():
        writer.add_string(key.replace("__", "."), value)
    _add_tokenizer(writer, model, split)
    names = gguf.get_tensor_name_map(_architecture(architecture), config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for name, weight in network.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        stem, _, suffix = name.rpartition(".")
        _add_tensor(
            writer, f"{names.get_name(stem)}.{suffix}", _layout(architecture, config, name, weight), quantised=quantised
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _architecture(name: str) -> Any:
    import gguf

    return next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == name)


def _add_config(writer: Any, config: Any) -> None:
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_vocab_size(config.vocab_size)
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if config.model_type == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if window := getattr(config, "sliding_window", None):
        writer.add_sliding_window(window)


def _add_tokenizer(writer: Any, model: Path, split: str) -> None:
    from transformers import AutoTokenizer

    document = json.loads((model / "tokenizer.json").read_text())
    special = {token["content"] for token in document["added_tokens"]}
    vocabulary = sorted(document["model"]["vocab"], key=document["model"]["vocab"].get)
    config = json.loads((model / "tokenizer_config.json").read_text())
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(vocabulary)
    writer.add_token_types([CONTROL if token in special else NORMAL for token in vocabulary])
    writer.add_token_merges([" ".join(merge) for merge in document["model"]["merges"]])
    bos = vocabulary.index(config["bos_token"])
    writer.add_bos_token_id(bos)
    writer.add_eos_token_id(vocabulary.index(config["eos_token"]))
    writer.add_pad_token_id(vocabulary.index(config["pad_token"]))
    writer.add_add_bos_token(AutoTokenizer.from_pretrained(model)("a").input_ids[0] == bos)


def _layout(architecture: str, config: Any, name: str, weight: Any) -> Any:
    if architecture in NORMS_PLUS_ONE and name.endswith("norm.weight"):
        return weight + 1
    if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
        heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
        return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)
    return weight


def _add_tensor(writer: Any, name: str, weight: Any, *, quantised: bool) -> None:
    import gguf

    kind = gguf.GGMLQuantizationType.Q8_0 if quantised and weight.dim() > 1 else gguf.GGMLQuantizationType.F32
    writer.add_tensor(name, gguf.quantize(weight.float().numpy(), kind), raw_dtype=kind)
