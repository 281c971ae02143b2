"""The estimate of a pass's memory is what the pass then takes."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from finetune_api.resource.passes import Lora, Tuning
from finetune_runner.memory.estimate import Batch, estimate
from finetune_runner.memory.shapes import Shapes
from finetune_runner.memory.values import ON_CPU, values_for
from finetune_runner.training.adapter import with_adapter
from memory_peak import measured
from passes import dora, loftq, loha, lokr, lora, qlora
from saved_tensors import saved_bytes

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
    "qwen3 with new tokens": (
        CONFIG | TIED | {"model_type": "qwen3", "head_dim": 64, "vocab_size": 64000},
        {"newTokens": ["<a>", "<b>"]},
        60,
    ),
    "gemma3": (CONFIG | TIED | {"model_type": "gemma3_text", "head_dim": 64, "vocab_size": 64000}, {}, 60),
    "llama, layers and norms in full": (
        CONFIG | {"model_type": "llama"},
        {"modulesToSave": ["down_proj", "input_layernorm", "norm"]},
        200,
    ),
    "llama, MLPs in full, checkpointing": (
        CONFIG | {"model_type": "llama", "num_hidden_layers": 6},
        {"modulesToSave": ["mlp"], "dropout": 0, "training": {"gradientCheckpointing": True}},
        40,
    ),
    "llama, head in full": (CONFIG | {"model_type": "llama"}, {"modulesToSave": ["lm_head"]}, 200),
    "phi3, layers in full": (
        CONFIG | {"model_type": "phi3", "pad_token_id": 0},
        {"modulesToSave": ["down_proj"], "targetModules": ["qkv_proj", "o_proj"]},
        100,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimate_is_within_15_percent_of_the_measured_peak(shape):
    config, tuning, counted = SHAPES[shape]
    spec = {"trainData": "x"} | tuning

    peak = measured(config, spec, sequences=2, length=512, counted=counted)

    shapes = Shapes.read(config)
    told = estimate(shapes, Lora.model_validate(spec), Batch(2 * 512, 2 * counted), ON_CPU).total
    assert told == pytest.approx(peak, rel=0.15)


SMALL = CONFIG | {
    "hidden_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 640,
    "vocab_size": 500,
}
FAMILIES = {
    "llama": SMALL | {"model_type": "llama"},
    "phi3": SMALL | {"model_type": "phi3", "pad_token_id": 0},
    "qwen3": SMALL | TIED | {"model_type": "qwen3", "head_dim": 64},
    "gemma2": SMALL | TIED | {"model_type": "gemma2", "head_dim": 64},
    "gemma3": SMALL | TIED | {"model_type": "gemma3_text", "head_dim": 64},
}
IN_FULL = ["down_proj", "q_proj", "layers.1.mlp", "post_attention_layernorm"]
KINDS: dict[str, tuple[Tuning, list[str]]] = {
    "lora": (lora(), [*FAMILIES]),
    "lora with dropout": (lora(dropout=0.1), ["llama"]),
    "dora": (dora(), ["phi3"]),
    "dora with dropout": (dora(dropout=0.1), ["llama"]),
    "loha": (loha(), ["gemma3"]),
    "lokr": (lokr(), ["qwen3"]),
    "qlora": (qlora(), ["phi3"]),
    "loftq": (loftq(), ["llama"]),
    "lora, layers in full": (lora(modulesToSave=IN_FULL), ["llama", "gemma3"]),
    "lora with dropout, layers in full": (lora(dropout=0.1, modulesToSave=IN_FULL), ["llama"]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("kind", "family"), [(kind, name) for kind, (_, names) in KINDS.items() for name in names])
def test_what_autograd_keeps_is_within_6_percent_of_what_is_told(kind, family, dtype, tmp_path):
    config, model = KINDS[kind][0], FAMILIES[family]

    kept = saved_bytes(model, config, dtype, sequences=2, length=160, counted=8, folder=tmp_path)

    values = values_for(accelerator=False, bfloat16=dtype is torch.bfloat16)
    shapes = Shapes.read(model)
    assert shapes is not None
    assert estimate(shapes, config, Batch(320, 16, longest=160), values).activations == pytest.approx(kept, rel=0.06)


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("llama", ["down_proj", "input_layernorm"]),
        ("llama", ["mlp", "lm_head", "norm"]),
        ("phi3", ["qkv_proj", "model.layers.1.mlp.gate_up_proj"]),
        ("qwen3", ["layers.1", "q_norm"]),
        ("gemma2", ["self_attn", "model.norm"]),
        ("gemma3", ["k_norm", "pre_feedforward_layernorm", "embed_tokens"]),
    ],
)
def test_as_many_values_are_told_as_peft_trains(family, names):
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**FAMILIES[family]))
    tuned = with_adapter(model, lora(modulesToSave=names), "spec")

    shapes = Shapes.read(FAMILIES[family])
    assert shapes is not None
    told = estimate(shapes, lora(modulesToSave=names), Batch(0, 0), ON_CPU).adapter
    assert told == 16 * sum(weight.numel() for weight in tuned.parameters() if weight.requires_grad)
