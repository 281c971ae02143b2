"""A decoder of any size, with random weights and a small tokenizer: what speed and memory are measured on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tiny_tokenizer import tiny_tokenizer

WORDS = (
    "the",
    "rain",
    "never",
    "ends",
    "who",
    "is",
    "there",
    "a",
    "letter",
    "from",
    "nowhere",
    "we",
    "won",
    "at",
    "last",
)


def make_random_decoder(config: Mapping[str, Any], directory: Path, *, dtype: str = "bfloat16") -> Path:
    """Saves a model of random weights, drawn on the accelerator where there is one.

    Args:
        config: of a config.json, model_type included; its vocabulary may be larger than the tokenizer's.
        directory: to write into.
        dtype: torch's name of the type that the weights are kept in.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = tiny_tokenizer(bos="<s>", eos="</s>", pad="<pad>", adds_bos=False)
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        made = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(**{**config, **special}), dtype=getattr(torch, dtype)
        )
    made.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def random_rows(lengths: Sequence[int], seed: int = 0) -> list[dict[str, object]]:
    """Rows of one field, text, of so many words; a word is one to seven tokens to the tokenizer above."""
    random = Random(seed)
    return [{"text": " ".join(random.choices(WORDS, k=length))} for length in lengths]
