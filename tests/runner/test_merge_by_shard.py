"""Merging shard by shard gives what peft gives with the whole model in memory, bit for bit."""

import json
import shutil

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoKrConfig, LoraConfig, PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, MixtralConfig, MixtralForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.merging.by_shard import merge_by_shard
from finetune_runner.passes.merging.unfit import UnfitError
from finetune_runner.passes.merging.whole import merge_whole
from passes import Reported, merge
from random_adapter import in_shards, make_random_adapter
from tiny_decoders import make_tiny_decoder
from tiny_gemma3 import make_tiny_gemma3

INDEX = "model.safetensors.index.json"
COMMON = {"task_type": "CAUSAL_LM", "r": 4, "target_modules": "all-linear"}
ONE_LAYER = {**COMMON, "target_modules": ["o_proj"]}
CASES = {
    "lora": ("llama", "float32", LoraConfig(**COMMON, lora_alpha=12)),
    "lora of bfloat16": ("llama", "bfloat16", LoraConfig(**COMMON, lora_alpha=12)),
    "rslora": ("llama", "bfloat16", LoraConfig(**COMMON, use_rslora=True)),
    "dora": ("llama", "bfloat16", LoraConfig(**COMMON, use_dora=True)),
    "loha": ("llama", "bfloat16", LoHaConfig(**COMMON, rank_pattern={"o_proj": 2}, alpha_pattern={"o_proj": 3})),
    "lokr": ("llama", "bfloat16", LoKrConfig(**COMMON, decompose_both=True, decompose_factor=4)),
    "some layers": ("llama", "float32", LoraConfig(**ONE_LAYER, layers_to_transform=[1])),
    "ranks by name": ("llama", "float32", LoraConfig(**COMMON, rank_pattern={r"layers\.1\..*proj": 2})),
    "a head and norms saved": ("llama", "bfloat16", LoraConfig(**COMMON, modules_to_save=["lm_head", "norm"])),
    "tied": ("gemma3", "bfloat16", LoraConfig(**COMMON)),
    "tied, embeddings saved": ("gemma3", "bfloat16", LoraConfig(**COMMON, modules_to_save=["embed_tokens"])),
    "tied, head saved": ("gemma3", "bfloat16", LoraConfig(**COMMON, modules_to_save=["lm_head"])),
    "tied, both saved": ("gemma3", "float32", LoraConfig(**ONE_LAYER, modules_to_save=["embed_tokens", "lm_head"])),
    "rows of tokens": (
        "llama",
        "bfloat16",
        LoraConfig(**COMMON, trainable_token_indices={"model.embed_tokens": [7, 3, 5], "lm_head": [2, 9]}),
    ),
    "tied, rows of tokens": (
        "gemma3",
        "bfloat16",
        LoraConfig(**COMMON, trainable_token_indices={"model.embed_tokens": [7, 3]}),
    ),
    "transposed": ("gpt2", "float32", LoraConfig(**{**COMMON, "target_modules": ["c_attn", "c_proj"]})),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Directories by architecture and type, each in several files."""
    work, made = tmp_path_factory.mktemp("bases"), {}

    def base(architecture, dtype):
        if (architecture, dtype) not in made:
            whole = work / f"{architecture}-{dtype}-whole"
            MAKERS[architecture](whole)
            made[architecture, dtype] = in_shards(whole, work / f"{architecture}-{dtype}", dtype=dtype)
        return made[architecture, dtype]

    return base


def make_gpt2(directory):
    config = GPT2Config(vocab_size=320, n_positions=64, n_embd=64, n_layer=2, n_head=4)
    GPT2LMHeadModel(config).save_pretrained(directory)


def make_mixtral(directory):
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = MixtralConfig(vocab_size=320, num_key_value_heads=2, num_local_experts=4, **sizes)
    MixtralForCausalLM(config).save_pretrained(directory)


MAKERS = {
    "llama": lambda directory: make_tiny_decoder("llama", directory),
    "gemma3": make_tiny_gemma3,
    "gpt2": make_gpt2,
    "mixtral": make_mixtral,
}


def by_shard(base, adapter, output):
    output.mkdir()
    merge_by_shard(base, adapter, output, Reported(), None)
    return output


def as_a_whole(base, adapter, output):
    output.mkdir()
    merge_whole(base, adapter, output, Reported(), None, trust_remote_code=False)
    return output


def weights(directory):
    return {name: tensor for file in directory.glob("*.safetensors") for name, tensor in load_file(file).items()}


def settings(directory, name):
    return json.loads((directory / name).read_text())


@pytest.fixture(params=CASES)
def merged(request, bases, tmp_path):
    """A base, and the same adapter merged into it both ways."""
    architecture, dtype, config = CASES[request.param]
    base = bases(architecture, dtype)
    adapter = make_random_adapter(base, tmp_path / "adapter", config)
    return base, by_shard(base, adapter, tmp_path / "shards"), as_a_whole(base, adapter, tmp_path / "whole")


def test_both_ways_give_the_same_model(merged):
    base, shards, whole = merged
    found, expected, before = weights(shards), weights(whole), weights(base)

    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0, msg=name)
    assert any(not torch.equal(tensor, found[name]) for name, tensor in before.items())
    for name in ("config.json", "generation_config.json"):
        assert settings(shards, name) == settings(whole, name)


def test_each_weight_stays_in_its_file(bases, tmp_path):
    base = bases("llama", "bfloat16")
    adapter = make_random_adapter(base, tmp_path / "adapter", LoraConfig(**ONE_LAYER))

    shards = by_shard(base, adapter, tmp_path / "shards")

    assert len(list(shards.glob("*.safetensors"))) > 2
    assert settings(shards, INDEX) == settings(base, INDEX)
    for file in base.glob("*.safetensors"):
        assert load_file(file).keys() == load_file(shards / file.name).keys()


def test_a_head_that_is_tied_no_more_is_in_the_index(bases, tmp_path):
    base = bases("gemma3", "bfloat16")
    config = LoraConfig(**ONE_LAYER, modules_to_save=["lm_head"])

    shards = by_shard(base, make_random_adapter(base, tmp_path / "adapter", config), tmp_path / "shards")

    index, found = settings(shards, INDEX), weights(shards)
    assert index["weight_map"]["lm_head.weight"] == index["weight_map"]["model.embed_tokens.weight"]
    assert index["weight_map"].keys() == found.keys()
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in found.values())
    assert index["metadata"]["total_parameters"] == sum(tensor.numel() for tensor in found.values())
    assert not torch.equal(found["lm_head.weight"], found["model.embed_tokens.weight"])
    assert AutoModelForCausalLM.from_pretrained(shards).config.tie_word_embeddings is False


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_added_tokens_are_merged_too(bases, tmp_path, architecture):
    base = bases(architecture, "float32")
    adapter = make_random_adapter(base, tmp_path / "adapter", LoraConfig(**ONE_LAYER), tokens=333)
    larger = AutoModelForCausalLM.from_pretrained(base)
    larger.resize_token_embeddings(333)
    ids = torch.tensor([[5, 7, 330, 9, 332]])

    shards = by_shard(base, adapter, tmp_path / "shards")

    alone = AutoModelForCausalLM.from_pretrained(shards)
    assert alone.config.vocab_size == 333
    both = PeftModel.from_pretrained(larger, adapter)
    torch.testing.assert_close(alone(ids).logits, both(ids).logits, rtol=1e-4, atol=1e-4)


def test_experts_are_merged_with_the_whole_model(bases, tmp_path, caplog):
    base = bases("mixtral", "float32")
    adapter = make_random_adapter(base, tmp_path / "adapter", LoraConfig(**ONE_LAYER))
    ids = torch.arange(3, 40).unsqueeze(0)
    with caplog.at_level("INFO"):
        merge(adapter, base, tmp_path / "model")

    alone = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    both = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)

    assert "joins or renames weights of mixtral" in caplog.text
    torch.testing.assert_close(alone(ids).logits, both(ids).logits, rtol=1e-4, atol=1e-4)


def rows_of(*indices, layer="o_proj"):
    named = {name: [3] for name in indices}
    return LoraConfig(**{**COMMON, "target_modules": [layer]}, trainable_token_indices=named)


UNFIT = {
    "another kind": (
        *("llama", IA3Config(task_type="CAUSAL_LM", target_modules=["o_proj"], feedforward_modules=[]), {}),
        "IA3",
    ),
    "an embedding": (
        "llama",
        LoraConfig(**{**COMMON, "target_modules": ["o_proj", "embed_tokens"]}),
        {},
        "belongs to no linear layer",
    ),
    "rows without names": (
        *("llama", LoraConfig(**ONE_LAYER, trainable_token_indices=[3]), {}),
        "trainable_token_indices",
    ),
    "rows beside a changed tied head": (
        *("gemma3", rows_of("model.embed_tokens", layer="lm_head"), {}),
        "are tied, and the adapter has rows of one and changes the other",
    ),
    "rows of both that are tied": (
        *("gemma3", rows_of("model.embed_tokens", "lm_head"), {}),
        r"rows of model\.embed_tokens\.weight and none of lm_head",
    ),
    "no id": ("llama", rows_of("model.embed_tokens"), {"model.embed_tokens": [-1]}, "ids of tokens are"),
    "a gap": ("llama", rows_of("model.embed_tokens"), {"model.embed_tokens": [400]}, "no rows of some tokens"),
    "one that grows": ("llama", rows_of("model.embed_tokens"), {"model.embed_tokens": [320]}, "one embedding only"),
}
"""Architecture, adapter, other indices of its tokens, and why."""


@pytest.mark.parametrize("case", UNFIT)
def test_what_a_layer_cannot_tell_by_itself_is_left_to_peft(bases, tmp_path, case):
    architecture, config, indices, why = UNFIT[case]
    base = bases(architecture, "float32")
    adapter = make_random_adapter(base, tmp_path / "adapter", config)
    if indices:
        told = json.loads((adapter / "adapter_config.json").read_text()) | {"trainable_token_indices": indices}
        (adapter / "adapter_config.json").write_text(json.dumps(told))

    with pytest.raises(UnfitError, match=why):
        by_shard(base, adapter, tmp_path / "shards")

    assert list((tmp_path / "shards").iterdir()) == []


def test_a_base_with_other_names_is_left_to_transformers(bases, tmp_path):
    base = bases("llama", "float32")
    adapter = make_random_adapter(base, tmp_path / "adapter", LoraConfig(**ONE_LAYER))
    odd = tmp_path / "odd"
    odd.mkdir()
    save_file(
        {name.removeprefix("model."): tensor for name, tensor in weights(base).items()}, odd / "model.safetensors"
    )
    (odd / "config.json").write_bytes((base / "config.json").read_bytes())

    with pytest.raises(UnfitError, match="the names of the base's weights"):
        by_shard(odd, adapter, tmp_path / "shards")


def test_an_adapter_that_lacks_a_layer_is_refused(bases, tmp_path):
    base = bases("llama", "float32")
    adapter = make_random_adapter(base, tmp_path / "adapter", LoraConfig(**ONE_LAYER))
    kept = {name: t for name, t in load_file(adapter / "adapter_model.safetensors").items() if "layers.1" not in name}
    save_file(kept, adapter / "adapter_model.safetensors")

    with pytest.raises(FineTuneError, match=r"lacks the weights of model\.layers\.1\.self_attn\.o_proj") as caught:
        by_shard(base, adapter, tmp_path / "shards")

    assert caught.value.reason is Reason.ARTIFACT_CORRUPT


@pytest.mark.parametrize("part", ["lora_B", "token_adapter"])
def test_weights_that_are_not_finite_are_refused(bases, tmp_path, part):
    base = bases("llama", "float32")
    adapter = make_random_adapter(base, tmp_path / "adapter", rows_of("model.embed_tokens"))
    broken = load_file(adapter / "adapter_model.safetensors")
    for name in (name for name in broken if part in name):
        broken[name].fill_(float("inf"))
    save_file(broken, adapter / "adapter_model.safetensors")

    with pytest.raises(ValueError, match="not finite"):
        by_shard(base, adapter, tmp_path / "shards")


def test_an_adapter_of_another_base_is_refused(bases, tmp_path):
    base, other = bases("llama", "float32"), tmp_path / "other"
    make_tiny_decoder("qwen3", other)
    config = LoraConfig(**ONE_LAYER, modules_to_save=["lm_head"])
    adapter = make_random_adapter(other, tmp_path / "adapter", config)

    with pytest.raises(FineTuneError, match="does not belong to this base") as caught:
        by_shard(base, adapter, tmp_path / "shards")

    assert caught.value.reason is Reason.MODEL_UNSUPPORTED


@pytest.mark.parametrize("damage", ["cut off", "no header"])
def test_a_damaged_base_is_told(bases, tmp_path, damage):
    base = bases("llama", "float32")
    adapter = make_random_adapter(base, tmp_path / "adapter", LoraConfig(**ONE_LAYER))
    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    file = max(broken.glob("*.safetensors"))
    content = file.read_bytes()
    file.write_bytes(content[:-1] if damage == "cut off" else content[:8] + b"?" * (len(content) - 8))

    with pytest.raises(FineTuneError, match=f"the weights cannot be read: {file.name}") as caught:
        by_shard(broken, adapter, tmp_path / "shards")

    assert caught.value.reason is Reason.ARTIFACT_CORRUPT
