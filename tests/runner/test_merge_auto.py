"""mergeBase: auto: the base is chosen by what is left of the model once it is rounded."""

import pytest
from safetensors.torch import load_file

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_api.resource.exports import ModelBuilder
from finetune_api.resource.passes import MergeAdapterWeights
from finetune_runner.passes.contract import EVAL_DATA, TRAIN_DATA
from finetune_runner.passes.merging.choice import Losses, better
from finetune_runner.passes.registry import run_pass
from finetune_runner.passes.rounding.in_place import bits_of
from passes import Reported, data_set, evaluate, export_here, inputs, merge, qlora, tune

CONFIG = qlora(r=4, alpha=12, targetModules=["o_proj", "down_proj"], evalData="tones")
EXPORT = ModelBuilder(algorithm="rtn", block_size=64)
LOSS = {"metrics": [{"name": "loss", "loss": {}}]}


def merge_auto(adapter, base, output, *, held_out=None, report=None):
    given = inputs(
        adapter,
        output,
        product=Product.ADAPTER,
        base=base,
        data={TRAIN_DATA: data_set(), EVAL_DATA: held_out or data_set()},
        tuned=CONFIG,
        export=EXPORT,
        path="spec.passes[1].mergeAdapterWeights",
    )
    config = MergeAdapterWeights(merge_base="auto")
    return run_pass("merge_adapter_weights", config, given, report or Reported()).metrics


@pytest.fixture(scope="module")
def merged(tiny_phi3, tmp_path_factory):
    """A folder with the adapter and the model merged from it, the pass's figures, and what it reported."""
    work, report = tmp_path_factory.mktemp("merged"), Reported()
    tune(tiny_phi3, work / "adapter", CONFIG, held_out=data_set())
    return work, merge_auto(work / "adapter", tiny_phi3, work / "auto", report=report), report


def test_the_model_is_that_of_the_base_that_was_chosen(merged, tiny_phi3, tmp_path):
    work, figures, _ = merged
    chosen = figures["mergeBaseChosen"]
    merge(work / "adapter", tiny_phi3, tmp_path / "chosen", mergeBase=chosen)

    assert figures["lossOriginal"] != figures["lossDequantised"]
    found, expected = (load_file(folder / "model.safetensors") for folder in (work / "auto", tmp_path / "chosen"))
    assert found.keys() == expected.keys()
    assert all(found[name].equal(expected[name]) for name in found)
    names = [sorted(file.name for file in folder.iterdir()) for folder in (work / "auto", tmp_path / "chosen")]
    assert names[0] == names[1]


@pytest.mark.parametrize("base", ["original", "dequantised"])
def test_its_figures_are_the_losses_of_the_exported_models(merged, tiny_phi3, tmp_path, base):
    """Without rounding of the products' inputs, which is the runtime's own."""
    work, figures, _ = merged
    merge(work / "adapter", tiny_phi3, tmp_path / "model", mergeBase=base)
    export_here(tmp_path / "model", tmp_path / "onnx", algorithm="rtn", blockSize=64, accuracyLevel=1)

    measured = evaluate(tmp_path / "onnx", tmp_path / "figures", Product.ONNX, evaluator=LOSS).metrics["loss"]

    assert float(figures[f"loss{base.title()}"]) == pytest.approx(float(measured), abs=2e-3)


def test_it_tells_how_far_it_is_over_both_ways(merged):
    steps = [said["step"] for said in merged[2].steps]
    assert steps == sorted(steps)
    assert steps[-1] == merged[2].steps[-1]["total_steps"] == 100


def losses(*totals):
    """Of batches of four tokens each."""
    return Losses(totals, [4] * len(totals))


@pytest.mark.parametrize(
    ("original", "dequantised", "chosen"),
    [
        (losses(4, 6, 8), losses(4.5, 6.6, 8.4), "original"),
        (losses(4, 6, 8), losses(3.5, 5.4, 7.6), "dequantised"),
        (losses(4, 6, 8), losses(4.6, 5.6, 8.1), "dequantised"),
        (losses(4, 6, 8), losses(4, 6, 8), "dequantised"),
        (losses(4), losses(5), "dequantised"),
    ],
    ids=["loses more in each batch", "loses less", "loses more by chance", "the same", "too few rows to tell"],
)
def test_the_original_base_is_chosen_where_the_other_loses_more_than_by_chance(original, dequantised, chosen):
    assert better(original, dequantised, "") == chosen


def test_a_loss_that_is_no_number_is_never_the_least():
    nan = losses(float("nan"))
    assert better(nan, losses(2), "") == "dequantised"
    assert better(losses(2), nan, "") == "original"
    with pytest.raises(FineTuneError) as caught:
        better(nan, nan, "spec.passes[1].mergeAdapterWeights")
    assert caught.value.reason is Reason.NAN_LOSS


def test_without_a_row_to_compare_by_it_fails_before_it_merges(merged, tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="no row of 'tones' is held out") as caught:
        merge_auto(merged[0] / "adapter", tiny_phi3, tmp_path / "model", held_out=data_set([]))
    assert (caught.value.reason, caught.value.path) == (
        Reason.DATASET_INVALID,
        "spec.passes[1].mergeAdapterWeights.mergeBase",
    )


@pytest.mark.parametrize(
    ("algorithm", "precision", "in_eight"),
    [
        ("k_quant", "int4", []),
        ("k_quant", "int8", ["lm_head", "0.v_proj", "3.v_proj", "4.v_proj", "7.down_proj", "4.o_proj"]),
        ("k_quant_last", "int4", ["lm_head"]),
        ("k_quant_mixed", "int4", ["lm_head", "0.v_proj", "3.v_proj", "7.down_proj"]),
    ],
)
def test_layers_have_the_bits_that_the_builder_gives_them(algorithm, precision, in_eight):
    """Of eight blocks …_mixed takes the first, the last, and every third from the fourth on."""
    export = ModelBuilder(algorithm=algorithm, precision=precision)
    layers = {"lm_head": "lm_head", "4.o_proj": "model.layers.4.self_attn.o_proj"}
    layers |= {f"{block}.v_proj": f"model.layers.{block}.self_attn.v_proj" for block in (0, 3, 4)}
    layers |= {"7.down_proj": "model.layers.7.mlp.down_proj"}
    bits = {short: bits_of(export, name, 8, is_head=short == "lm_head") for short, name in layers.items()}
    assert sorted(short for short, found in bits.items() if found == 8) == sorted(in_eight)
