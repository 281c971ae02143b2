"""A small Phi-3 that was never quantised: trained from random weights to tell the tone of a text."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from transformers import Phi3Config, Phi3ForCausalLM, PreTrainedTokenizerBase

from tiny_tokenizer import tiny_tokenizer

EOS = "<|endoftext|>"
VOCABULARY = 2048
STEPS, BATCH, LEARNING_RATE = 200, 16, 1e-3


def make_task_model(texts: Sequence[str], directory: Path, seed: int) -> Path:
    """Saves model and tokenizer, in bfloat16.

    Args:
        texts: the rows, rendered; all of their tokens count for the loss.
        directory: to write into.
        seed: of the weights and of the rows' order.
    """
    tokenizer = tiny_tokenizer(bos="<s>", eos=EOS, pad=EOS, adds_bos=False, sentences=texts, vocabulary=VOCABULARY)
    torch.manual_seed(seed)
    model = Phi3ForCausalLM(_config(tokenizer)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, STEPS)
    for batch in _batches(texts, seed):
        rows = tokenizer([f"{text}{EOS}" for text in batch], return_tensors="pt", padding=True, padding_side="right")
        # the end of a text is told from padding by the mask, since both are one token
        labels = rows["input_ids"].masked_fill(rows["attention_mask"] == 0, -100)
        loss = model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"], labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.to(torch.bfloat16).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def _config(tokenizer: PreTrainedTokenizerBase) -> Phi3Config:
    return Phi3Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        original_max_position_embeddings=512,
        sliding_window=None,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _batches(texts: Sequence[str], seed: int) -> Iterator[list[str]]:
    random = Random(seed)
    for _ in range(STEPS):
        yield random.sample(texts, BATCH)
