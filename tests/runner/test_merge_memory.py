"""A merge's memory is that of a layer, and not of the model."""

import pytest
from peft import LoraConfig

import merge_memory
from random_adapter import in_shards, make_random_adapter
from random_decoder import make_random_decoder

HIDDEN, INNER, LAYERS = 512, 2048, 8
LARGEST_LAYER = HIDDEN * INNER * 4
"""In float32, in bytes."""
SHAPE = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "vocab_size": 8000,
    "tie_word_embeddings": False,
}
CONSTANT = 12 * 1024**2


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    work = tmp_path_factory.mktemp("memory")
    base = in_shards(make_random_decoder(SHAPE, work / "model"), work / "base", dtype="bfloat16", size="15MB")
    config = LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear")
    return base, make_random_adapter(base, work / "adapter", config)


def model_bytes(base):
    return sum(file.stat().st_size for file in base.glob("*.safetensors"))


def test_the_peak_is_three_times_the_largest_layer_and_a_constant(places, tmp_path):
    assert len(list(places[0].glob("*.safetensors"))) > 3

    peak = merge_memory.measured("shards", *places, tmp_path).resident

    assert peak < 3 * LARGEST_LAYER + CONSTANT < model_bytes(places[0]) / 2


def test_with_the_whole_model_in_memory_it_is_that_of_the_model(places, tmp_path):
    assert merge_memory.measured("whole", *places, tmp_path).anonymous > model_bytes(places[0])
