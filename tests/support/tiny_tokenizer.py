"""A byte-level BPE tokenizer of a few hundred tokens, trained in a moment.

Byte-level since onnxruntime-genai's tokenizer refuses word-level ones.
"""

from collections.abc import Sequence
from typing import Any

SENTENCES = [
    "### Text: I can't stop smiling, what a wonderful day!\n### The tone is:\njoy",
    "### Text: Nobody came to the funeral, and I miss her so much.\n### The tone is:\nsadness",
    "### Text: Something is scratching at the door in the dark.\n### The tone is:\nfear",
    "### Text: Wait, you two are married? Since when?\n### The tone is:\nsurprise",
]
VOCABULARY = 320


def tiny_tokenizer(
    *,
    bos: str,
    eos: str,
    pad: str,
    adds_bos: bool,
    sentences: Sequence[str] = SENTENCES,
    split: str = "",
    vocabulary: int = VOCABULARY,
) -> Any:
    """A transformers tokenizer; `adds_bos` as Llama's and Gemma's do, and Phi-3's does not.

    split: a regular expression of words, instead of GPT-2's.
    vocabulary: how many tokens it has at most.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if split:
        words = pre_tokenizers.Split(Regex(split), behavior="isolated")
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    special = list(dict.fromkeys([pad, bos, eos]))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(sentences, trainer)
    if adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=pad)
