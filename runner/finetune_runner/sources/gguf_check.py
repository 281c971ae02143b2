"""Whether transformers makes the right model of a GGUF file, told from its header. Pure.

transformers loads more than it gets right: what it does not know of a file it passes over, and the model is another.
So a file is refused unless all that its header says of the model is used (docs/models.md).
"""

import re
from collections.abc import Iterator

from finetune_runner.sources.gguf_architectures import (
    ARCHITECTURES,
    OF_THE_BLOCK,
    OF_THE_MODEL,
    assumed,
    used_keys,
)
from finetune_runner.sources.gguf_header import Header
from finetune_runner.sources.source import unsupported

SPLITS = ("gpt-2", "llama-bpe", "qwen2")
"""tokenizer.ggml.pre of byte-level vocabularies (tokenizer.ggml.model gpt2): where they split words before merging.

For those that transformers does not know it takes GPT-2's, and says nothing. Read: those whose tokens a test compares.
"""
READABLE = frozenset({0, 1, 2, 3, 6, 7, 8, *range(10, 15), *range(16, 24), 29, 30, 34, 35, 39})
"""ggml types that the gguf package can turn into numbers: F32, F16, BF16, Q4_0 … Q8_0, K-quants, IQ, TQ, MXFP4."""
BLOCK = re.compile(r"^blk\.\d+\.")
ORIGINAL = "Use the model that the file was made from, in safetensors."
BESIDE = "Put the original model's tokenizer files beside the .gguf file."


def check(header: Header, uri: str, path: str, *, has_tokenizer: bool) -> None:
    """That the file can be used.

    Args:
        header: what it says of itself.
        uri: where it lies, for errors.
        path: place of the source in the spec.
        has_tokenizer: there are tokenizer files beside it, so its own is not needed.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    if header.architecture not in ARCHITECTURES:
        message = f"{uri} is of architecture {header.architecture or '(none named)'}"
        raise unsupported(message, f"{ORIGINAL} Read from GGUF: {', '.join(ARCHITECTURES)}.", path)
    if found := next(_passed_over(header), None):
        raise unsupported(f"{uri} has {found}, which transformers does not read from GGUF", ORIGINAL, path)
    if unreadable := sorted(set(header.tensors.values()) - READABLE):
        message = f"{uri} holds tensors of ggml type {unreadable[0]}, which cannot be read"
        raise unsupported(message, ORIGINAL, path)
    if not has_tokenizer:
        _check_tokenizer(header, uri, path)


def _passed_over(header: Header) -> Iterator[str]:
    """What the file says of the model and transformers does not heed."""
    architecture = header.architecture
    fixed, used = assumed(header), used_keys(architecture)
    for name, value in header.metadata.items():
        prefix, _, key = name.partition(".")
        if prefix != architecture:
            continue
        known = value == fixed[key] if key in fixed else key in used and value is not None
        if not known:
            yield f"{name}{'' if value is None else f' {value}'}"
    for tensor in header.tensors:
        stem, count = BLOCK.subn("", tensor)
        if stem not in (OF_THE_BLOCK[architecture] if count else OF_THE_MODEL):
            yield f"a tensor {tensor}"
    if architecture == "llama" and "mistral" in str(header.metadata.get("general.name", "")).lower():
        yield "Mistral's sliding window"


def _check_tokenizer(header: Header, uri: str, path: str) -> None:
    """That the file's own tokenizer becomes the same in transformers."""
    vocabulary = header.metadata.get("tokenizer.ggml.model")
    split = header.metadata.get("tokenizer.ggml.pre")
    if vocabulary == "gpt2" and split in SPLITS:
        return
    kind = f"one ({vocabulary}, {split}) that transformers may read wrongly" if vocabulary else "none"
    raise unsupported(f"{uri} has no tokenizer files, and in the .gguf file {kind}", BESIDE, path)
