"""A small Phi-3 that was never quantised: trained from random weights to tell the tone of a text."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import Phi3Config, Phi3ForCausalLM, PreTrainedTokenizerBase

from finetune_runner.data.tokens import IGNORED
from tiny_tokenizer import tiny_tokenizer

EOS = "<|endoftext|>"
VOCABULARY = 2000
"""Other than the outputs of any layer: onnxruntime-genai's builder takes one of that size for the head."""
STEPS, BATCH, LEARNING_RATE = 100, 16, 1e-3

Text = tuple[str, str]
"""A prompt and its answer."""


def make_task_model(texts: Sequence[Text], directory: Path, seed: int) -> Path:
    """Saves model and tokenizer, in bfloat16.

    Args:
        texts: what it is trained on; only answers count for the loss.
        directory: to write into.
        seed: of the weights and of the rows' order.
    """
    tokenizer = tiny_tokenizer(
        bos="<s>", eos=EOS, pad=EOS, adds_bos=False, sentences=list(map("".join, texts)), vocabulary=VOCABULARY
    )
    torch.manual_seed(seed)
    model = Phi3ForCausalLM(_config(tokenizer)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, STEPS)
    for batch in _batches(texts, seed):
        ids, labels = _encoded(batch, tokenizer)
        loss = model(input_ids=ids, labels=labels).loss
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


def _encoded(batch: Sequence[Text], tokenizer: PreTrainedTokenizerBase) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, padded on the right, where no token that counts sees the padding."""
    prompts = [tokenizer(prompt)["input_ids"] for prompt, _ in batch]
    answers = [tokenizer(f"{answer}{EOS}")["input_ids"] for _, answer in batch]
    rows = [torch.tensor(prompt + answer) for prompt, answer in zip(prompts, answers, strict=True)]
    counted = [torch.tensor([IGNORED] * len(prompt) + answer) for prompt, answer in zip(prompts, answers, strict=True)]
    return pad_sequence(rows, batch_first=True), pad_sequence(counted, batch_first=True, padding_value=IGNORED)


def _batches(texts: Sequence[Text], seed: int) -> Iterator[list[Text]]:
    random = Random(seed)
    for _ in range(STEPS):
        yield random.sample(texts, BATCH)
