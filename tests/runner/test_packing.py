"""Packed rows train as they would by themselves; padding and windows leave the loss alone."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_runner.data.sequences import packed
from finetune_runner.data.tokens import Encoded
from finetune_runner.training.batches import PadToLongest
from finetune_runner.training.loss import in_one_row, token_losses
from finetune_runner.training.packing import check_packing, keeps_apart
from finetune_runner.training.token_store import TokenStore
from passes import data_set, lora, tune

LENGTHS = [5, 9, 3, 12, 7]


def rows() -> list[Encoded]:
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randint(3, 300, (length,), generator=generator).tolist() for length in LENGTHS]
    return [Encoded(ids, 2, [False, False, *[True] * (len(ids) - 2)]) for ids in drawn]


def gradients(directory, batches):
    model = AutoModelForCausalLM.from_pretrained(directory)
    losses = torch.cat([token_losses(model, **batch) for batch in batches])
    losses.mean().backward()
    return losses.detach().sort().values, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def test_losses_and_gradients_are_those_of_rows_by_themselves(tiny_family, tmp_path):
    store = TokenStore.write(tmp_path / "rows", packed(rows(), 16), packed=True)
    assert len(store) < len(LENGTHS)
    alone = [PadToLongest(0)([{"input_ids": row.ids, "labels": row.labels}]) for row in rows()]

    losses, found = gradients(tiny_family, [PadToLongest(0)(store[:])])

    expected_losses, expected = gradients(tiny_family, alone)
    torch.testing.assert_close(losses, expected_losses, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


def test_packed_sequences_one_behind_the_other_have_the_losses_they_have_one_below_the_other(tiny_phi3, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_phi3)
    store = TokenStore.write(tmp_path / "rows", packed(rows(), 16), packed=True)
    batch = PadToLongest(0)(store[:])
    assert len(store) > 1

    ids, labels, positions = in_one_row(batch["input_ids"], batch["labels"], batch["position_ids"])

    assert len(ids) == 1
    losses = token_losses(model, input_ids=ids, attention_mask=ids, labels=labels, position_ids=positions)
    torch.testing.assert_close(losses, token_losses(model, **batch), atol=1e-5, rtol=1e-4)


def test_a_model_that_heeds_no_positions_is_refused(tiny_phi3):
    model = AutoModelForCausalLM.from_pretrained(tiny_phi3)
    assert keeps_apart(model)
    forward = model.forward
    model.forward = lambda position_ids=None, **more: forward(**more)

    with pytest.raises(FineTuneError, match="let packed rows see each other") as caught:
        check_packing(model, Preprocess(strategy="packing"))
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED


@pytest.mark.parametrize("left", [False, True])
def test_padding_on_either_side_leaves_the_losses_alone(tiny_phi3, left):
    model = AutoModelForCausalLM.from_pretrained(tiny_phi3)
    items = [{"input_ids": row.ids, "labels": row.labels} for row in rows()]
    alone = torch.cat([token_losses(model, **PadToLongest(0)([item])) for item in items])

    batch = PadToLongest(0, least=20, left=left)(items)

    assert batch["input_ids"].shape == (5, 20)
    torch.testing.assert_close(token_losses(model, **batch), alone, atol=1e-4, rtol=1e-4)


def test_a_store_gives_back_what_was_put_in(tmp_path):
    store = TokenStore.write(tmp_path / "rows", packed(rows(), 16), packed=True)

    sequences = list(packed(rows(), 16))
    assert [item["input_ids"] for item in store] == [list(one.ids) for one in sequences]
    assert [item["position_ids"] for item in store] == [one.positions for one in sequences]
    assert store.lengths == [len(one.ids) for one in sequences]


@pytest.mark.parametrize(
    "shape",
    [
        {"strategy": "packing", "maxSeqLen": 128},
        {"strategy": "join", "maxSeqLen": 64},
        {"strategy": "join-sliding-window", "maxSeqLen": 64, "stride": 32},
        {"strategy": "join-random", "maxSeqLen": 64, "loss": "all"},
        {"padToMaxLen": True, "maxSeqLen": 64, "paddingSide": "left"},
    ],
    ids=lambda shape: shape.get("strategy", "padded"),
)
def test_an_adapter_learns_whatever_shape_its_rows_have(tiny_phi3, tmp_path, shape):
    tune(tiny_phi3, tmp_path / "adapter", lora(training={"maxSteps": 20}), train=data_set(**shape))

    report = json.loads((tmp_path / "adapter" / "training.json").read_text())
    losses = [line["loss"] for line in report["log"] if "loss" in line]
    assert losses[-1] < losses[0] * 0.7
    assert report["data"]["rows"] == 12
    assert report["data"]["sequences"] > 0


@pytest.mark.parametrize("evaluates", [{}, {"evalStrategy": "epoch"}], ids=["at the end", "meanwhile"])
def test_held_out_rows_of_which_every_sequence_is_dropped_are_refused(tiny_phi3, tmp_path, evaluates):
    config = lora(evalRows=1, training={"maxSteps": 1, **evaluates})
    short = {"strategy": "join", "maxSeqLen": 64, "dropShortSequences": True}

    with pytest.raises(FineTuneError, match="every held-out sequence of 'tones' is shorter than maxSeqLen") as caught:
        tune(tiny_phi3, tmp_path / "adapter", config, train=data_set(**short))

    assert (caught.value.reason, caught.value.path) == (Reason.DATASET_INVALID, "spec.passes[0].lora.evalRows")
    assert "hold out more rows" in caught.value.remedy


def test_a_corpus_whose_every_sequence_is_dropped_is_refused(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="shorter than maxSeqLen"):
        tune(tiny_phi3, tmp_path / "adapter", train=data_set(dropShortSequences=True))
