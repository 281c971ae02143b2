"""New tokens: known to the tokenizer, learnt by the model, and part of everything that is made of it."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_runner.passes.merging.by_shard import merge_by_shard
from finetune_runner.passes.merging.whole import merge_whole
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.new_tokens import load_adapter
from passes import TONES, Reported, data_set, dora, evaluate, export_here, loftq, lora, merge, qlora, tune

WEIGHTS = "adapter_model.safetensors"
MOODS = [f"<mood:{tone}>" for tone in TONES]
ROWS = [{"phrase": phrase, "tone": f"<mood:{tone}>"} for tone, phrases in TONES.items() for phrase in phrases]
KINDS = {"lora": lora, "qlora": qlora, "dora": dora, "loftq": loftq}


def config(kind=lora, **fields):
    return kind(newTokens=MOODS, **fields)


def ids_of(directory):
    return AutoTokenizer.from_pretrained(directory).convert_tokens_to_ids(MOODS)


@pytest.fixture(scope="module")
def tuned(tiny_family, tmp_path_factory):
    """A family's model, and an adapter of it that answers with new tokens."""
    output = tmp_path_factory.mktemp("new-tokens") / "adapter"
    training = {"maxSteps": 40}
    tune(tiny_family, output, config(training=training), train=data_set(ROWS))
    return tiny_family, output


def test_each_new_token_is_one_token_of_the_adapters_tokenizer(tuned):
    base, adapter = tuned
    tokenizer, known = AutoTokenizer.from_pretrained(adapter), len(AutoTokenizer.from_pretrained(base))

    assert ids_of(adapter) == list(range(known, known + len(MOODS)))
    assert tokenizer("a<mood:joy>b", add_special_tokens=False)["input_ids"][1:-1] == ids_of(adapter)[:1]
    assert tokenizer.decode(ids_of(adapter), skip_special_tokens=True).replace(" ", "") == "".join(MOODS)


def test_their_rows_are_trained_and_go_with_the_adapter_and_no_others(tuned):
    base, adapter = tuned
    tied = AutoModelForCausalLM.from_pretrained(base).config.tie_word_embeddings
    rows = {name: w for name, w in load_file(adapter / WEIGHTS).items() if "lora" not in name}

    assert len(rows) == (1 if tied else 2)
    for weight in rows.values():
        assert weight.shape == (len(MOODS), 64)
        assert not torch.allclose(weight[0], weight[1], atol=1e-3), "all of them are where they started"


def test_they_are_merged_shard_by_shard_as_by_peft_with_the_whole_model(tuned, tmp_path):
    base, adapter = tuned
    by_shard, whole = tmp_path / "shards", tmp_path / "whole"
    by_shard.mkdir()
    merge_by_shard(base, adapter, by_shard, Reported(), None)
    merge_whole(base, adapter, whole, Reported(), None, trust_remote_code=False)

    expected, found = (load_file(directory / "model.safetensors") for directory in (whole, by_shard))
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=0, msg=name)
    first, second = (json.loads((directory / "config.json").read_text()) for directory in (whole, by_shard))
    assert first == second


def test_an_adapter_that_lacks_their_rows_is_refused(tuned, tmp_path):
    base, adapter = tuned
    broken = shutil.copytree(adapter, tmp_path / "adapter")
    kept = {name: weight for name, weight in load_file(adapter / WEIGHTS).items() if "token_adapter" not in name}
    save_file(kept, broken / WEIGHTS)

    with pytest.raises(FineTuneError, match=r"lacks the weights of (lm_head|model\.embed_tokens)") as caught:
        merge_by_shard(base, broken, tmp_path, Reported(), None)
    assert caught.value.reason is Reason.ARTIFACT_CORRUPT


def test_what_is_merged_exported_and_measured_knows_them(tuned, tmp_path):
    base, adapter = tuned
    merge(adapter, base, tmp_path / "merged")
    export_here(tmp_path / "merged", tmp_path / "onnx", precision="fp32")

    places = {
        "adapter": evaluate(adapter, tmp_path / "1", Product.ADAPTER, base=base, rows=ROWS),
        "merged": evaluate(tmp_path / "merged", tmp_path / "2", Product.MODEL, rows=ROWS),
        "onnx": evaluate(tmp_path / "onnx", tmp_path / "3", Product.ONNX, rows=ROWS),
    }

    shares = {place: float(result.metrics["accuracy"]) for place, result in places.items()}
    assert set(shares.values()) == {shares["adapter"]}
    assert shares["adapter"] > 0, "the model writes none of its new tokens"
    losses = [float(result.metrics["loss"]) for result in places.values()]
    assert max(losses) - min(losses) < 1e-3
    size = max(ids_of(adapter)) + 1
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["vocab_size"] == size
    assert json.loads((tmp_path / "onnx" / "genai_config.json").read_text())["model"]["vocab_size"] == size
    assert ids_of(tmp_path / "merged") == ids_of(tmp_path / "onnx") == ids_of(adapter)


@pytest.mark.parametrize("kind", ["qlora", "dora", "loftq"])
def test_every_kind_of_lora_learns_them(kind, tiny_gemma3, tmp_path):
    result = tune(tiny_gemma3, tmp_path / "adapter", config(KINDS[kind]), train=data_set(ROWS))
    adapted = load_adapter(AutoModelForCausalLM.from_pretrained(tiny_gemma3), tmp_path / "adapter")

    assert float(result.metrics["trainLoss"]) > 0
    rows = adapted.get_input_embeddings().weight[ids_of(tmp_path / "adapter")]
    assert not torch.allclose(rows[0], rows[1], atol=1e-3)


def test_they_start_from_the_mean_of_all_others(tiny_family):
    base = AutoModelForCausalLM.from_pretrained(tiny_family)
    before = base.get_input_embeddings().weight.detach().clone()
    head = base.get_output_embeddings().weight.detach().clone()
    known = len(before)

    adapted = with_adapter(base, config(), "spec.passes[0].lora", range(known, known + 4))

    for layer, old in ((adapted.get_input_embeddings(), before), (adapted.get_output_embeddings(), head)):
        torch.testing.assert_close(layer.weight[:known], old)
        torch.testing.assert_close(layer.weight[known:], old.mean(0).expand(4, -1))


def test_rows_that_a_model_has_to_spare_are_used_before_it_grows(tiny_phi3):
    base = AutoModelForCausalLM.from_pretrained(tiny_phi3)
    there = len(base.get_input_embeddings().weight)

    adapted = with_adapter(base, config(), "spec.passes[0].lora", range(there - 4, there))

    weight = adapted.get_input_embeddings().weight
    assert len(weight) == there
    torch.testing.assert_close(weight[there - 1], weight[: there - 4].mean(0))


def test_a_token_that_there_is_already_is_refused(tiny_phi3, tmp_path):
    known = AutoTokenizer.from_pretrained(tiny_phi3).eos_token

    with pytest.raises(FineTuneError, match="the tokenizer has '<|endoftext|>' already".replace("|", r"\|")) as caught:
        tune(tiny_phi3, tmp_path / "adapter", lora(newTokens=["<new>", known]), train=data_set(ROWS))

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path == "spec.passes[0].lora.newTokens[1]"
    assert "Leave it out" in caught.value.remedy
