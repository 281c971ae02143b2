"""A Phi-3 of random weights, made in about a second, with its own tokenizer: what the runner's tests work on."""

from pathlib import Path

from tiny_tokenizer import tiny_tokenizer

EOS = "<|endoftext|>"


def make_tiny_phi3(directory: Path, *, seed: int = 0, dtype: str = "float32") -> Path:
    """A transformers directory: config, safetensors, tokenizer. Sizes are what int4 with blocks of 32 needs."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    tokenizer = tiny_tokenizer(bos="<s>", eos=EOS, pad=EOS, adds_bos=False)
    config = Phi3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        original_max_position_embeddings=512,
        sliding_window=None,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.1,
    )
    torch.manual_seed(seed)
    model = Phi3ForCausalLM(config).to(getattr(torch, dtype))
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
