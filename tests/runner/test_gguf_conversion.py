"""A .gguf file becomes the model that it was made from, or is refused."""

import errno
import shutil

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from base_models import TEXTS, converted, logits, refused, tokens
from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes import conversion
from finetune_runner.passes.loading import load_tokenizer
from finetune_runner.sources import gguf_check
from finetune_runner.sources.gguf_architectures import ARCHITECTURES
from finetune_runner.sources.gguf_header import read_header
from tiny_decoders import make_tiny_decoder
from tiny_gguf import write_gguf

# What their makers write into tokenizer.json.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SPLITS = {"gpt-2": ("llama", ""), "llama-bpe": ("llama", LLAMA3), "qwen2": ("qwen2", QWEN2)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_model_is_the_original_to_the_bit(architecture, tmp_path):
    original = make_tiny_decoder(architecture, tmp_path / "model")
    file = write_gguf(original, tmp_path / "gguf/model.gguf")
    shutil.copyfile(original / "tokenizer.json", tmp_path / "gguf/tokenizer.json")
    header = read_header(lambda size: file.read_bytes()[:size])
    gguf_check.check(header, "it", "spec.inputModel.source.s3", has_tokenizer=True)

    made = converted("gguf", tmp_path / "gguf", tmp_path / "made")

    assert torch.equal(logits(made), logits(original))
    assert (made / "tokenizer.json").read_bytes() == (original / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("split", SPLITS)
def test_its_own_tokenizer_gives_the_originals_tokens(split, tmp_path):
    architecture, words = SPLITS[split]
    original = make_tiny_decoder(architecture, tmp_path / "model", split=words, sentences=TEXTS * 3)
    write_gguf(original, tmp_path / "gguf/model.gguf", split=split, tokenizer__chat_template="{{ 'hello' }}")

    made = converted("gguf", tmp_path / "gguf", tmp_path / "made")

    assert tokens(made) == tokens(original)
    tokenizer = AutoTokenizer.from_pretrained(made)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<s>", "</s>", "<pad>")
    assert tokenizer.chat_template == "{{ 'hello' }}"


def test_a_tokenizer_that_is_another_once_it_is_loaded_again_is_refused(tmp_path):
    original = make_tiny_decoder("gemma3", tmp_path / "model")
    write_gguf(original, tmp_path / "gguf/model.gguf")
    error = refused(converted, "gguf", tmp_path / "gguf", tmp_path / "made")
    assert "the tokenizer in model.gguf" in error.message
    assert "Put the original model's tokenizer files beside the .gguf file" in error.remedy


def test_quantised_weights_become_bfloat16_and_differ_by_rounding_only(tiny_phi3, tmp_path):
    write_gguf(tiny_phi3, tmp_path / "gguf/model.gguf", quantised=True)
    made = converted("gguf", tmp_path / "gguf", tmp_path / "made")
    exact, found = load_file(tiny_phi3 / "model.safetensors"), load_file(made / "model.safetensors")
    assert set(found) == set(exact)
    for name, weights in found.items():
        assert weights.dtype is torch.bfloat16
        torch.testing.assert_close(weights.float(), exact[name], rtol=0.02, atol=exact[name].abs().max().item() / 100)


def test_memory_that_runs_out_is_not_held_against_the_model(tiny_phi3, tmp_path, monkeypatch):
    def hungry(*_, **__):
        # More than 47 bits of address: torch refuses as it does where memory has run out.
        return torch.empty(2**55, dtype=torch.uint8)

    write_gguf(tiny_phi3, tmp_path / "gguf/model.gguf")
    monkeypatch.setattr(conversion.AutoModelForCausalLM, "from_pretrained", hungry)
    monkeypatch.setattr("torch.load", hungry)
    shutil.copyfile(tmp_path / "gguf/model.gguf", tmp_path / "gguf/pytorch_model.bin")

    for kind in ("gguf", "pickle"):
        with pytest.raises(FineTuneError) as caught:
            converted(kind, tmp_path / "gguf", tmp_path / f"made-{kind}")
        assert caught.value.reason is Reason.OUT_OF_HOST_MEMORY
        assert "memory" in caught.value.remedy


def test_a_full_disk_is_not_held_against_the_tokenizer(tiny_phi3, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_gguf(tiny_phi3, tmp_path / "gguf/model.gguf")
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", full)
    for load in (
        lambda: converted("gguf", tmp_path / "gguf", tmp_path / "made"),
        lambda: load_tokenizer(tiny_phi3, trust_remote_code=False),
    ):
        with pytest.raises(FineTuneError) as caught:
            load()
        assert caught.value.reason is Reason.OUT_OF_DISK


@pytest.mark.parametrize("kind", sorted(gguf_check.READABLE))
def test_every_type_of_tensor_that_prepare_accepts_can_be_turned_into_numbers(kind):
    numbers, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
    block = np.zeros((1, size), dtype=np.uint8)
    assert gguf.dequantize(block, gguf.GGMLQuantizationType(kind)).shape == (1, numbers)
