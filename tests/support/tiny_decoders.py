"""Tiny models of random weights, one of each architecture that is read from GGUF."""

from pathlib import Path
from typing import Any

from tiny_tokenizer import tiny_tokenizer

CLASSES = {
    "llama": "Llama",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "phi3": "Phi3",
    "gemma2": "Gemma2",
    "gemma3": "Gemma3",
}


def make_tiny_decoder(architecture: str, directory: Path, **tokenizer_fields: Any) -> Path:
    """Saves a model of random weights; `tokenizer_fields` go to tiny_tokenizer."""
    import torch
    import transformers

    name = CLASSES[architecture]
    config_class = getattr(transformers, f"{name}TextConfig" if architecture == "gemma3" else f"{name}Config")
    adds_bos = architecture in ("llama", "gemma2", "gemma3")
    tokenizer = tiny_tokenizer(bos="<s>", eos="</s>", pad="<pad>", adds_bos=adds_bos, **tokenizer_fields)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.1,
        "rms_norm_eps": 3e-5,
        "rope_parameters": ROTARY,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **SPECIAL.get(architecture, {}),
    }
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForCausalLM")(config_class(**sizes))
    for parameter in model.parameters():
        if parameter.dim() == 1:  # norms start as all ones or zeros, where a mix-up would not show
            torch.nn.init.normal_(parameter, mean=parameter.mean().item(), std=0.1)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


ROTARY = {"rope_type": "default", "rope_theta": 50_000.0}
"""Like all that a file says: not the default, which a reader that passes over it would have too."""
SPECIAL: dict[str, dict[str, Any]] = {
    "qwen3": {"head_dim": 128},
    "gemma2": {"head_dim": 256, "sliding_window": 16},
    "gemma3": {
        "head_dim": 256,
        "sliding_window": 16,
        "num_hidden_layers": 6,  # the last of them attends to everything
        "rope_parameters": {
            "full_attention": ROTARY,
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    },
    "phi3": {"sliding_window": 16},
}
