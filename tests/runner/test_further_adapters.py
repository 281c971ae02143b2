"""Extracting several adapters of one base: one graph, and a file for each that says what an export of its own says."""

import json
import shutil

import onnxruntime_genai as og
import pytest
from transformers import AutoTokenizer

from command_line import finetune
from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_runner.artifact.runtime import Runtime
from finetune_runner.artifact.stop_tokens import stop_tokens
from finetune_runner.passes.evaluation.onnx import OnnxModel
from passes import TEMPLATE, data_set, evaluate, extract, lora, tune
from published import publish_here
from tiny_decoders import make_tiny_decoder

pytestmark = pytest.mark.usefixtures("builder_here")

__all__ = ["finetune"]

SHOUTED = "Text: {phrase}!\nTone: {tone}"
NONE = frozenset[int]()


@pytest.fixture(scope="module")
def tiny_llama(tmp_path_factory):
    return make_tiny_decoder("llama", tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module", params=["tiny_phi3", "tiny_llama"])
def base(request):
    """Phi-3 has query, key and value in one layer, Llama in three."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def adapters(base, tmp_path_factory):
    """Of different rank and scaling, trained on different prompts; no torch module can call a member `keys`."""
    folder = tmp_path_factory.mktemp("tuned")
    tune(base, folder / "tone", lora(r=4, alpha=12))
    shouted = data_set(textTemplate=SHOUTED)
    tune(base, folder / "keys", lora(r=8, alpha=8, useRslora=True, training={"seed": 1}), train=shouted)
    return {name: folder / name for name in ("tone", "keys")}


@pytest.fixture(scope="module")
def together(base, adapters, builder_here, tmp_path_factory):
    output = tmp_path_factory.mktemp("together") / "onnx"
    result = extract(adapters["tone"], base, output, adapters=adapters)
    assert result.verified_on == "CPUExecutionProvider"
    return output


@pytest.fixture(scope="module", params=["tone", "keys"])
def apart(request, base, adapters, builder_here, tmp_path_factory):
    """The name of an adapter, and the export of it alone."""
    output = tmp_path_factory.mktemp("apart") / "onnx"
    extract(adapters[request.param], base, output)
    return request.param, output


def prompt(folder, template=TEMPLATE):
    return AutoTokenizer.from_pretrained(folder)(template.format(phrase="we won at last", tone=""))["input_ids"]


def test_there_is_one_graph_and_a_file_for_each_adapter(together, apart):
    name, alone = apart

    assert sorted(file.name for file in together.glob("*.onnx*")) == [
        "keys.onnx_adapter",
        "model.onnx",
        "model.onnx.data",
        "tone.onnx_adapter",
    ]
    for file in ("model.onnx", "model.onnx.data", "genai_config.json"):
        assert (together / file).read_bytes() == (alone / file).read_bytes()
    assert (together / f"{name}.onnx_adapter").read_bytes() == (alone / "adapter.onnx_adapter").read_bytes()


def test_each_adapter_answers_as_it_does_alone(together, apart):
    name, alone = apart
    asked = prompt(together)

    answers = {n: [*Runtime(together, NONE, n).answer(asked, 12)] for n in ("tone", "keys")}

    assert answers[name] == [*Runtime(alone, NONE).answer(asked, 12)]
    assert answers["tone"] != answers["keys"]


def test_adapters_are_swapped_over_a_loaded_model(together, apart):
    name, alone = apart
    asked, model = prompt(together), og.Model(str(together))
    loaded = og.Adapters(model)
    for other in ("tone", "keys"):
        loaded.load(str(together / f"{other}.onnx_adapter"), other)

    def answer(adapter):
        parameters = og.GeneratorParams(model)
        parameters.set_search_options(max_length=256, do_sample=False)
        generator = og.Generator(model, parameters)
        generator.set_active_adapter(loaded, adapter)
        generator.append_tokens(asked)
        for _ in range(6):
            if not generator.is_done():
                generator.generate_next_token()
        return generator.get_sequence(0).tolist()[len(asked) :]

    swapped = [answer(other) for other in ("tone", "keys", name, "tone", "keys")]

    assert swapped[:2] == swapped[3:]
    assert swapped[2] == [*Runtime(alone, stop_tokens(alone, tokenizer_eos=0)).answer(asked, 6)]  # without its end


def test_a_measurement_is_of_the_adapter_that_is_named(together, apart, tmp_path):
    name, alone = apart
    [other] = {"tone", "keys"} - {name}

    def loss(folder, adapter=""):
        return evaluate(folder, tmp_path / f"of-{adapter or 'alone'}", Product.ONNX, adapter=adapter).metrics["loss"]

    measured = loss(together, name)
    assert measured == loss(alone)
    assert measured != loss(together, other)


def test_a_chat_is_with_the_adapter_that_is_named_in_its_own_words(together, finetune, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(together)
    model = OnnxModel(together, frozenset({tokenizer.eos_token_id}), "keys")
    [expected] = model.generate([prompt(together, SHOUTED)], 6)
    artifact = publish_here(shutil.copytree(together, tmp_path / "artifact"))
    asked = ("chat", artifact, "--prompt=we won at last", "--max-new-tokens=6")

    ended = finetune(*asked, "--adapter=keys")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{tokenizer.decode(expected)}\n"
    for given, said in (((), "several adapters, and none is named"), (("--adapter=joy",), "no adapter 'joy'")):
        refused = finetune(*asked, *given)
        assert refused.code != 0
        assert said in refused.err
        assert "Name one of: keys, tone." in refused.err


def test_the_base_stops_where_any_of_its_adapters_was_tuned_to(base, adapters, tmp_path):
    marked = {name: shutil.copytree(folder, tmp_path / name) for name, folder in adapters.items()}
    for mark, folder in enumerate(marked.values(), start=5):
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, mark]}))

    extract(marked["tone"], base, tmp_path / "onnx", adapters=marked)

    settings = json.loads((tmp_path / "onnx" / "genai_config.json").read_text(encoding="utf-8"))
    assert settings["model"]["eos_token_id"] == [2, 5, 6]


def refusal(base, adapters, output):
    with pytest.raises(FineTuneError) as caught:
        extract(adapters["tone"], base, output, adapters=adapters)
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED
    assert caught.value.path == "spec.passes[1].extractAdapters.furtherAdapters[0]"
    assert not any(output.iterdir())
    return caught.value.message


def test_an_adapter_on_other_layers_is_refused_before_anything_is_built(base, adapters, tmp_path):
    tune(base, tmp_path / "few", lora(targetModules=["o_proj"], training={"maxSteps": 1}))
    few = {"tone": adapters["tone"], "few": tmp_path / "few"}

    assert "the adapter does not lie on base_model.model.model.layers.0.mlp." in refusal(base, few, tmp_path / "onnx")
    swapped = {"tone": tmp_path / "few", "few": adapters["tone"]}
    assert "the adapter lies on base_model.model.model.layers.0.mlp." in refusal(base, swapped, tmp_path / "other")


def test_an_adapter_that_is_more_than_factors_is_refused(base, adapters, tmp_path):
    folder = shutil.copytree(adapters["keys"], tmp_path / "keys")
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    (folder / "adapter_config.json").write_text(json.dumps(settings | {"use_dora": True}))

    said = refusal(base, {"tone": adapters["tone"], "keys": folder}, tmp_path / "onnx")
    assert "a LoRA adapter with magnitudes" in said
