"""A Llama of 60 million random weights, whose vocabulary of 32,000 is small beside Gemma's of 262,144."""

import json
from collections.abc import Sequence
from pathlib import Path

NAME = "llama-60m"
EOS = "</s>"


def make_llama_60m(texts: Sequence[str], directory: Path) -> Path:
    """Saves model and tokenizer unless they lie there.

    Args:
        texts: what the tokenizer is trained on; it needs fewer tokens than the model has.
        directory: to write into; of NAME.
    """
    if not (directory / "config.json").is_file():
        _make(texts, directory)
    return directory


def _make(texts: Sequence[str], directory: Path) -> None:
    import torch  # noqa: PLC0415  seconds
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    from tiny_tokenizer import tiny_tokenizer  # noqa: PLC0415

    tokenizer = tiny_tokenizer(bos="<s>", eos=EOS, pad=EOS, adds_bos=True, sentences=texts, vocabulary=4000)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=8,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    tokenizer.save_pretrained(directory)
    LlamaForCausalLM(config).save_pretrained(directory)


def texts_of(rows: Path) -> list[str]:
    """All values of a JSONL file's rows."""
    lines = rows.read_text(encoding="utf-8").splitlines()
    return [str(value) for line in lines for value in json.loads(line).values()]
