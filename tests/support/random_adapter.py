"""An adapter of random weights, as peft makes and saves it: as large a change as training would hardly make."""

from pathlib import Path
from typing import Any


def make_random_adapter(base: Path, directory: Path, config: Any, *, tokens: int = 0) -> Path:
    """Saves an adapter of a model.

    Args:
        base: the model's directory.
        directory: to write into.
        config: a PeftConfig.
        tokens: size of the vocabulary, where the adapter brings embeddings of its own.
    """
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base)
    if tokens:
        model.resize_token_embeddings(tokens)
    tuned = get_peft_model(model, config)
    for weight in tuned.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.1)
    tuned.save_pretrained(directory, save_embedding_layers=bool(tokens))
    return directory


def in_shards(model: Path, directory: Path, *, dtype: str, size: str = "60KB") -> Path:
    """Saves a model again, in another type and in several files."""
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(model, dtype=dtype).save_pretrained(directory, max_shard_size=size)
    return directory
