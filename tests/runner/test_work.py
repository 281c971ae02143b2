"""What a model computes is read from its modules, and what it computes on from the batch: by hand."""

import pytest
import torch
from transformers import AutoModelForCausalLM, MixtralConfig, MixtralForCausalLM

from finetune_runner.passes.loading import load_model
from finetune_runner.passes.tune import quantization
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.model_flops import Attention
from finetune_runner.training.work import WorkCounter, decoder_of, tokens_of
from passes import dora, lora, qlora

FROZEN = 2 * (64 * 128 + 64 * 64 + 64 * 256 + 128 * 64)
"""Of two Phi-3 blocks of width 64: the fused query, key and value, the output, the MLP's fused two and its last."""
ADAPTER = 2 * 8 * (64 + 128 + 64 + 64 + 64 + 256 + 128 + 64)
"""Rank 8 times inputs and outputs of each."""
HEAD = 320 * 64


def adapted(directory, config):
    return with_adapter(AutoModelForCausalLM.from_pretrained(directory), config, "spec.passes[0].lora")


def test_a_frozen_models_weights_and_its_adapters_are_told_apart(tiny_phi3):
    decoder = decoder_of(adapted(tiny_phi3, lora()))
    assert (decoder.frozen, decoder.trained) == (FROZEN, ADAPTER)
    assert (decoder.head, decoder.head_is_trained) == (HEAD, False)
    assert decoder.attention == (Attention(layers=2, width=64, window=None),)


def test_four_bit_layers_multiply_as_many_weights(tiny_phi3):
    given = {"dtype": torch.float32, "device": "cpu", "trust_remote_code": False}
    base = load_model(tiny_phi3, quantization=quantization(qlora(), torch.float32), **given)
    decoder = decoder_of(with_adapter(base, qlora(), "spec.passes[0].qlora"))
    assert (decoder.frozen, decoder.trained) == (FROZEN, ADAPTER)


def test_magnitudes_of_dora_are_trained_too(tiny_phi3):
    assert decoder_of(adapted(tiny_phi3, dora())).trained == ADAPTER + 2 * (128 + 64 + 256 + 64)


def test_a_head_trained_in_full_is_counted_once(tiny_phi3):
    decoder = decoder_of(adapted(tiny_phi3, lora(modulesToSave=["lm_head"])))
    assert (decoder.frozen, decoder.trained) == (FROZEN, ADAPTER)
    assert (decoder.head, decoder.head_is_trained) == (HEAD, True)


def test_layers_with_a_window_are_told_apart(tiny_gemma3):
    attention = decoder_of(adapted(tiny_gemma3, lora())).attention
    assert attention == (Attention(2, 128, 16), Attention(1, 128, None))


def test_of_a_mixture_of_experts_it_is_not_known():
    sizes = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    model = MixtralForCausalLM(MixtralConfig(**sizes, num_attention_heads=2, num_key_value_heads=1))
    assert decoder_of(model) is None


@pytest.mark.parametrize("side", ["left", "right"])
def test_sequences_have_the_square_of_their_length_in_pairs_and_padding_none(side):
    """Lengths 3 and 5: 9 + 25. Within a window of 2 all but the first have 3: 1 + 2·3 and 1 + 4·3."""
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    mask = mask.flip(1) if side == "left" else mask
    tokens = tokens_of({"attention_mask": mask, "labels": torch.full((2, 5), -100)}, [None, 2])
    assert tokens.all == 8
    assert tokens.pairs == {None: 34, 2: 20}


def test_packed_rows_have_no_pairs_between_them():
    """Rows of 3 and 2 tokens, and padding: 9 + 4."""
    batch = {
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 0]]),
        "position_ids": torch.tensor([[0, 1, 2, 0, 1, 0]]),
        "labels": torch.full((1, 6), -100),
    }
    assert tokens_of(batch, [None]).pairs == {None: 13}


def test_the_head_works_for_tokens_that_count_alone(tiny_phi3):
    """4 tokens: 4·frozen + 6·adapter each; 12·2·64 for each of 16 pairs; 4·head for the two that are predicted."""
    counter = WorkCounter(adapted(tiny_phi3, lora()))
    batch = {"attention_mask": torch.ones(1, 4, dtype=torch.long), "labels": torch.tensor([[7, -100, 8, 9]])}
    work = counter(batch)
    assert (work.tokens, work.positions) == (4, 4)
    assert work.flops == 4 * (4 * FROZEN + 6 * ADAPTER) + 16 * 12 * 2 * 64 + 2 * 4 * HEAD
