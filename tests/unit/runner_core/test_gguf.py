"""What prepare reads of a GGUF file's beginning, and what it refuses by it."""

import struct

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.sources import gguf_check
from finetune_runner.sources.gguf_header import FIRST_BYTES, GgufError, Header, read_header

F32, Q4_K, UNKNOWN_TYPE = 0, 12, 99


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def string(key: str, value: str) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(value)


def strings(key: str, values: list[str]) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(text(value) for value in values)


def tensor(name: str, kind: int) -> bytes:
    return text(name) + struct.pack("<IQQIQ", 2, 64, 32, kind, 0)


def file(metadata: list[bytes], tensors: list[bytes], version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    return head + b"".join(metadata) + b"".join(tensors) + b"weights"


def header_of(data: bytes) -> Header:
    return read_header(lambda size: data[:size])


def test_metadata_and_tensors_are_read_and_arrays_passed_over():
    count = text("phi3.block_count") + struct.pack("<II", 4, 32)
    found = header_of(
        file(
            [string("general.architecture", "phi3"), strings("tokenizer.ggml.tokens", ["a", "bc"]), count],
            [tensor("token_embd.weight", Q4_K)],
        )
    )
    assert found.architecture == "phi3"
    assert found.metadata["phi3.block_count"] == 32
    assert found.metadata["tokenizer.ggml.tokens"] is None
    assert found.tensors == {"token_embd.weight": Q4_K}


def test_a_header_longer_than_the_first_read_is_read_in_a_second():
    asked = []
    data = file([strings("tokens", ["x" * 1000] * 2000)], [tensor("w", F32)])

    def read(size):
        asked.append(size)
        return data[:size]

    assert read_header(read).tensors == {"w": F32}
    assert asked == [FIRST_BYTES, 4 * FIRST_BYTES]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin with GGUF"),
        (b"<!DOCTYPE html>", "does not begin with GGUF"),
        (b"GGUF", "ends within its header"),
        (file([string("general.architecture", "phi3")], [])[:40], "ends within its header"),
        (file([], [], version=1), "of version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "3, big-endian"),
        (file([text("key") + struct.pack("<I", 77)], []), "unknown type 77"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_reason(data, why):
    with pytest.raises(GgufError, match=why):
        header_of(data)


PHI3 = {
    "general.architecture": "phi3",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
}


def refusal(metadata=None, tensors=None, *, has_tokenizer=False) -> str:
    """What is said of a file; empty: nothing."""
    header = Header(PHI3 | (metadata or {}), tensors or {"token_embd.weight": Q4_K})
    try:
        gguf_check.check(header, "s3://models/x", "spec.inputModel.source.s3", has_tokenizer=has_tokenizer)
    except FineTuneError as error:
        return f"{error.reason}: {error.message}; {error.remedy}"
    return ""


def test_a_file_whose_header_is_all_used_is_accepted():
    assert refusal() == ""
    assert refusal({"phi3.rope.scaling.type": "none", "phi3.attention.sliding_window": 2047}) == ""
    half = {"phi3.embedding_length": 3072, "phi3.attention.head_count": 32, "phi3.rope.dimension_count": 96}
    assert refusal(half) == ""


@pytest.mark.parametrize(
    ("metadata", "tensors", "said"),
    [
        ({"general.architecture": "mamba"}, None, "is of architecture mamba"),
        ({"phi3.rope.scaling.type": "yarn"}, None, "phi3.rope.scaling.type yarn"),
        ({"phi3.logit_scale": 2.0}, None, "phi3.logit_scale 2.0"),
        ({"phi3.attention.head_count": None}, None, "phi3.attention.head_count"),
        (
            {"phi3.embedding_length": 3072, "phi3.attention.head_count": 24, "phi3.rope.dimension_count": 96},
            None,
            "phi3.rope.dimension_count 96",
        ),
        ({"general.architecture": "gemma2", "gemma2.attention.key_length": 128}, None, "key_length 128"),
        ({"general.architecture": "gemma2", "gemma2.final_logit_softcapping": 20.0}, None, "softcapping 20.0"),
        ({"general.architecture": "llama", "general.name": "Mistral 7B"}, None, "Mistral's sliding window"),
        ({"general.architecture": "llama", "llama.expert_count": 8}, None, "llama.expert_count 8"),
        (None, {"blk.0.attn_q.bias": F32}, "a tensor blk.0.attn_q.bias"),
        (None, {"rope_factors_long.weight": F32}, "a tensor rope_factors_long.weight"),
        (None, {"blk.0.attn_qkv.weight": UNKNOWN_TYPE}, "tensors of ggml type 99"),
    ],
)
def test_what_would_make_another_model_is_refused_also_with_tokenizer_files(metadata, tensors, said):
    assert refusal(metadata, tensors).startswith(Reason.MODEL_UNSUPPORTED)
    assert said in refusal(metadata, tensors)
    assert said in refusal(metadata, tensors, has_tokenizer=True)


@pytest.mark.parametrize(
    "metadata",
    [
        {"tokenizer.ggml.model": None},
        {"tokenizer.ggml.model": "t5"},
        {"tokenizer.ggml.pre": "starcoder"},
        {"tokenizer.ggml.pre": None},
    ],
)
def test_a_tokenizer_that_may_be_read_wrongly_is_refused_unless_its_files_lie_beside(metadata):
    assert "Put the original model's tokenizer files beside the .gguf file" in refusal(metadata)
    assert refusal(metadata, has_tokenizer=True) == ""
