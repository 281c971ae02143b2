"""The estimate of a pass's memory is what the pass then takes."""

import pytest

from finetune_api.resource.passes import Lora
from finetune_runner.memory.estimate import ON_CPU, Batch, estimate
from finetune_runner.memory.shapes import Shapes
from memory_peak import measured

CONFIG = {
    "hidden_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 1024,
    "vocab_size": 8000,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
TIED = {"tie_word_embeddings": True}
SHAPES = {
    "llama": (CONFIG | {"model_type": "llama"}, {}, 512),
    "llama, checkpointing, no dropout": (
        CONFIG | {"model_type": "llama", "num_hidden_layers": 6},
        {"dropout": 0, "training": {"gradientCheckpointing": True}},
        40,
    ),
    "phi3": (CONFIG | {"model_type": "phi3", "pad_token_id": 0}, {"targetModules": ["qkv_proj", "o_proj"]}, 100),
    "qwen3": (CONFIG | TIED | {"model_type": "qwen3", "head_dim": 64, "num_key_value_heads": 6}, {"r": 64}, 200),
    "gemma3": (CONFIG | TIED | {"model_type": "gemma3_text", "head_dim": 64, "vocab_size": 64000}, {}, 60),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimate_is_within_15_percent_of_the_measured_peak(shape):
    config, tuning, counted = SHAPES[shape]
    spec = {"trainData": "x"} | tuning

    peak = measured(config, spec, sequences=2, length=512, counted=counted)

    shapes = Shapes.read(config)
    told = estimate(shapes, Lora.model_validate(spec), Batch(2 * 512, 2 * counted), ON_CPU).total
    assert told == pytest.approx(peak, rel=0.15)
