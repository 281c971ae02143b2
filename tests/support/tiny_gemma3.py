"""A Gemma 3 of random weights: rotary settings per layer type, sliding windows, a shared embedding, a BOS."""

from pathlib import Path

from tiny_tokenizer import tiny_tokenizer


def make_tiny_gemma3(directory: Path, *, seed: int = 0, dtype: str = "float32") -> Path:
    """A transformers directory. The two rotary bases differ, so that mixing them up shows in the logits."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    tokenizer = tiny_tokenizer(bos="<bos>", eos="<eos>", pad="<pad>", adds_bos=True)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=32,
        query_pre_attn_scalar=32,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 1_000_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        },
        sliding_window=16,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.1,
    )
    torch.manual_seed(seed)
    model = Gemma3ForCausalLM(config).to(getattr(torch, dtype))
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
