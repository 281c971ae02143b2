"""Extracting: a base becomes an ONNX model, and its adapter a file that onnxruntime-genai loads over it."""

import json
import shutil

import numpy as np
import onnx_ir
import onnxruntime_genai as og
import pytest
import torch
from onnxruntime import AdapterFormat
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from command_line import finetune
from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_runner.passes.evaluation.onnx import OnnxModel
from passes import TEMPLATE, evaluate, extract, lora, tune
from published import publish_here
from tiny_decoders import make_tiny_decoder

pytestmark = pytest.mark.usefixtures("builder_here")

__all__ = ["finetune"]

FILE = "adapter.onnx_adapter"
IDS = list(range(3, 40))


@pytest.fixture(scope="module")
def tiny_llama(tmp_path_factory):
    return make_tiny_decoder("llama", tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module", params=["tiny_phi3", "tiny_llama"])
def tuned(request, tmp_path_factory):
    """A base and its adapter: Phi-3 has query, key and value in one layer, Llama in three."""
    base = request.getfixturevalue(request.param)
    adapter = tmp_path_factory.mktemp("tuned") / "adapter"
    tune(base, adapter, lora(r=4, alpha=12))
    return base, adapter


@pytest.fixture(scope="module")
def int4(tuned, builder_here, tmp_path_factory):
    base, adapter = tuned
    output = tmp_path_factory.mktemp("int4") / "onnx"
    extract(adapter, base, output)
    return output


def torch_logits(base, adapter=None):
    model = AutoModelForCausalLM.from_pretrained(base)
    if adapter:
        model = PeftModel.from_pretrained(model, adapter)
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


def onnx_logits(directory, adapter=None):
    model = og.Model(str(directory))
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=64)
    generator = og.Generator(model, parameters)
    adapters = og.Adapters(model)
    if adapter:
        adapters.load(str(adapter), "tuned")
        generator.set_active_adapter(adapters, "tuned")
    generator.append_tokens(np.array(IDS, dtype=np.int32))
    return torch.tensor(generator.get_output("logits")[0])


def similarity(one, other):
    return torch.cosine_similarity(one, other, dim=-1).mean()


def test_unrounded_base_and_adapter_say_what_they_say_in_pytorch(tuned, tmp_path):
    base, adapter = tuned
    extract(adapter, base, tmp_path / "onnx", precision="fp32")

    alone, both = onnx_logits(tmp_path / "onnx"), onnx_logits(tmp_path / "onnx", tmp_path / "onnx" / FILE)

    torch.testing.assert_close(alone, torch_logits(base), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(both, torch_logits(base, adapter), rtol=1e-3, atol=2e-3)


def test_an_int4_base_says_nearly_what_the_base_says_until_the_adapter_is_loaded_over_it(tuned, int4):
    base, adapter = tuned

    alone, both = onnx_logits(int4), onnx_logits(int4, int4 / FILE)

    assert similarity(alone, torch_logits(base)) > 0.9
    assert similarity(both, torch_logits(base, adapter)) > 0.9
    assert similarity(both, torch_logits(base)) < 0.5


def test_the_factors_are_not_rounded_and_all_else_is(tuned, int4):
    weights = load_file(tuned[1] / "adapter_model.safetensors")
    layer = "base_model.model.model.layers.1.self_attn.o_proj"

    held = AdapterFormat.read_adapter(str(int4 / FILE)).get_parameters()  # values are views of it
    factors = {name: value.numpy().copy() for name, value in held.items()}

    place = "model.layers.1.attn.o_proj"
    np.testing.assert_array_equal(factors[f"{place}.lora_A.MatMul.weight"], weights[f"{layer}.lora_A.weight"].numpy().T)
    np.testing.assert_allclose(
        factors[f"{place}.lora_B.MatMul.weight"], 12 / 4 * weights[f"{layer}.lora_B.weight"].numpy().T, rtol=1e-6
    )
    unrounded = [node.name for node in onnx_ir.load(int4 / "model.onnx").graph if node.op_type == "MatMul"]
    assert len(unrounded) == len(factors) == 2 * 2 * 7  # two factors of seven products in each of two layers
    assert all("/lora_A/" in name or "/lora_B/" in name for name in unrounded)


def test_an_adapter_of_another_rank_goes_over_the_same_base(tuned, int4, tmp_path):
    base, _ = tuned
    tune(base, tmp_path / "adapter", lora(r=8, alpha=8, training={"maxSteps": 6, "seed": 1}))
    extract(tmp_path / "adapter", base, tmp_path / "onnx")

    for name in ("model.onnx", "model.onnx.data"):
        assert (tmp_path / "onnx" / name).read_bytes() == (int4 / name).read_bytes()
    swapped = onnx_logits(int4, tmp_path / "onnx" / FILE)
    assert similarity(swapped, torch_logits(base, tmp_path / "adapter")) > 0.9
    assert similarity(swapped, onnx_logits(int4, int4 / FILE)) < 0.9


def test_a_measurement_is_of_base_and_adapter_together(tuned, int4, tmp_path):
    base, adapter = tuned
    alone = shutil.copytree(int4, tmp_path / "alone", ignore=shutil.ignore_patterns(FILE))

    def loss(source, product, **more):
        return float(evaluate(source, tmp_path / f"of-{source.name}", product, **more).metrics["loss"])

    both = loss(int4, Product.ONNX)
    assert both == pytest.approx(loss(adapter, Product.ADAPTER, base=base), abs=0.5)
    assert loss(alone, Product.ONNX) > both + 1


def test_a_chat_is_with_base_and_adapter_together(tuned, int4, finetune, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tuned[0])
    prompt = tokenizer(TEMPLATE.format(phrase="we won at last", tone=""))["input_ids"]
    alone = shutil.copytree(int4, tmp_path / "alone", ignore=shutil.ignore_patterns(FILE))
    answers = [
        tokenizer.decode(OnnxModel(folder, frozenset({tokenizer.eos_token_id})).generate([prompt], 6)[0])
        for folder in (int4, alone)
    ]

    ended = finetune("chat", publish_here(shutil.copytree(int4, tmp_path / "artifact")), "--prompt=we won at last",
                     "--max-new-tokens=6")  # fmt: skip

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{answers[0]}\n"
    assert answers[0] != answers[1]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"use_dora": True}, "a LoRA adapter with magnitudes"),
        ({"modules_to_save": ["lm_head"]}, "a LoRA adapter with modules trained in full"),
        ({"peft_type": "LOHA"}, "a LOHA adapter, not LoRA"),
    ],
    ids=["dora", "modules", "loha"],
)
def test_an_adapter_that_is_more_than_factors_is_refused(settings, found, tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"} | settings))

    with pytest.raises(FineTuneError) as caught:
        extract(tmp_path / "adapter", tmp_path, tmp_path / "onnx")

    assert caught.value.reason is Reason.MODEL_UNSUPPORTED
    assert caught.value.path == "spec.passes[1].extractAdapters"
    assert found in caught.value.message


def test_factors_in_bfloat16_are_written_as_the_graph_takes_them(tuned, tmp_path):
    base, adapter = tuned
    extract(adapter, base, tmp_path / "onnx", precision="bf16", executionProvider="CUDAExecutionProvider")

    graph = onnx_ir.load(tmp_path / "onnx" / "model.onnx").graph
    parameters = AdapterFormat.read_adapter(str(tmp_path / "onnx" / FILE)).get_parameters()
    taken = {value.name: value.dtype.value for value in graph.inputs if "lora" in value.name}
    assert {name: value.element_type() for name, value in parameters.items()} == taken
    assert set(taken.values()) == {onnx_ir.DataType.BFLOAT16.value}
