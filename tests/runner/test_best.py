"""The adapter of the best evaluation, and training that ends when there is none better."""

import json
import signal

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from finetune_runner.data.rendering import encoder_of, render
from finetune_runner.data.tokens import IGNORED
from finetune_runner.ending.interruption import Interrupted, raise_on_sigterm
from finetune_runner.passes.evaluation.pytorch import load_pytorch
from finetune_runner.passes.loading import load_tokenizer
from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.commit import Cache
from finetune_runner.training import loss as of_training
from finetune_runner.training.held_out import Tally, loss_and_hit
from finetune_runner.training.loss import token_scores
from passes import ROWS, Reported, data_set, lora, tune
from stores import open_store

OTHERS = [{"phrase": "the door is open", "tone": "calm"}, {"phrase": "the tide goes out", "tone": "awe"}]
"""Rows that the more of the training rows is learnt by heart are the less expected."""
EVALUATED = {"evalStrategy": "steps", "evalSteps": 2, "maxSteps": 24, "learningRate": 0.02}


def config(**training):
    return lora(evalData="tones", dropout=0.1, training=EVALUATED | training)


def losses(adapter, name="eval_loss"):
    """Held-out loss, or another figure, by step."""
    log = json.loads((adapter / "training.json").read_text())["log"]
    return {line["step"]: line[name] for line in log if name in line}


def weights(adapter):
    return load_file(adapter / "adapter_model.safetensors")


def alike(some, others):
    return all(bool((some[name] == others[name]).all()) for name in some)


@pytest.fixture(scope="module")
def best(tiny_phi3, tmp_path_factory):
    output = tmp_path_factory.mktemp("best") / "adapter"
    return output, tune(tiny_phi3, output, config(loadBestModelAtEnd=True), held_out=data_set(OTHERS))


def test_the_adapter_of_the_lowest_held_out_loss_is_kept(best, tiny_phi3, tmp_path):
    adapter, result = best
    lowest = min(losses(adapter), key=losses(adapter).get)
    tune(tiny_phi3, tmp_path / "short", config(maxSteps=lowest), held_out=data_set(OTHERS))

    assert lowest < 24, "the last one is the best: nothing to choose"
    assert alike(weights(adapter), weights(tmp_path / "short"))
    assert result.metrics["bestStep"] == str(lowest)
    assert result.metrics["evalLoss"] == f"{losses(adapter)[lowest]:.4f}"


def test_training_ends_after_as_many_worse_evaluations_as_it_has_patience(best, tiny_phi3, tmp_path):
    through = losses(best[0])
    lowest = min(through, key=through.get)
    patient = config(loadBestModelAtEnd=True, earlyStoppingPatience=2)

    tune(tiny_phi3, tmp_path / "adapter", patient, held_out=data_set(OTHERS))

    ended = losses(tmp_path / "adapter")
    assert max(ended) == lowest + 4 < 24
    assert alike(weights(tmp_path / "adapter"), weights(best[0]))


def test_a_pass_that_was_stopped_after_its_best_evaluation_still_knows_it(best, tiny_phi3, tmp_path, place):
    adapter, _ = best
    late = min(losses(adapter), key=losses(adapter).get) + 3
    cache = Cache(open_store(place, "volume"), "team")
    checkpoints = CheckpointStore(cache, "k" * 32, attempt="pod", job="tone", kind="lora", pass_version=1, inputs={})
    given = {"held_out": data_set(OTHERS), "checkpoints": checkpoints}
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    raise_on_sigterm()

    class Stop(Reported):
        def __call__(self, **said) -> None:
            if said["step"] == late:
                signal.raise_signal(signal.SIGTERM)

    try:
        with pytest.raises(Interrupted):
            tune(tiny_phi3, tmp_path / "stopped", config(loadBestModelAtEnd=True), report=Stop(), **given)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    tune(tiny_phi3, tmp_path / "resumed", config(loadBestModelAtEnd=True), **given)

    for name in ("adapter_model.safetensors", "training.json"):
        assert (tmp_path / "resumed" / name).read_bytes() == (adapter / name).read_bytes()


def test_the_adapter_of_the_highest_accuracy_is_kept_where_that_decides(best, tiny_phi3, tmp_path):
    by_accuracy = config(loadBestModelAtEnd=True, metricForBestModel="tokenAccuracy")

    result = tune(tiny_phi3, tmp_path / "adapter", by_accuracy, held_out=data_set(OTHERS))

    seen = losses(tmp_path / "adapter", "eval_token_accuracy")
    first_highest = max(seen, key=seen.get)
    assert losses(tmp_path / "adapter") == losses(best[0]), "another metric measured: the same training"
    assert result.metrics["bestStep"] == str(first_highest) != best[1].metrics["bestStep"]
    assert result.metrics["evalTokenAccuracy"] == f"{seen[first_highest]:.4f}"
    assert result.metrics["evalLoss"] == f"{losses(best[0])[first_highest]:.4f}"


def test_an_exact_match_is_an_answer_that_greedy_generation_writes(tiny_family, tmp_path):
    training = {"maxSteps": 36, "evalStrategy": "steps", "evalSteps": 6, "metricForBestModel": "exactMatch"}
    by_match = lora(evalData="tones", training=training | {"loadBestModelAtEnd": True})

    result = tune(tiny_family, tmp_path / "adapter", by_match, held_out=data_set(ROWS))

    tokenizer = load_tokenizer(tiny_family, trust_remote_code=False)
    stop = tokenizer.eos_token_id
    given = {"stop": frozenset({stop}), "pad": stop, "accelerator": False, "trust_remote_code": False}
    model = load_pytorch(tiny_family, tmp_path / "adapter", **given)
    preprocess = data_set(ROWS).config.preprocess
    rows = [encoder_of(preprocess, tokenizer).encode(one) for one in render(ROWS, preprocess, tokenizer, "")]
    written = model.generate([row.prompt for row in rows], max_new_tokens=24)
    right = sum([*row.prompt, *answer, stop] == row.ids for row, answer in zip(rows, written, strict=True))
    assert result.metrics["evalExactMatch"] == f"{right / len(rows):.4f}"
    assert right > 0


def test_shares_are_of_tokens_and_of_rows_that_have_some():
    labels = torch.tensor([[9, IGNORED, 4, 5], [9, IGNORED, IGNORED, 6], [9, IGNORED, IGNORED, IGNORED]])
    tally = Tally()
    tally.add(torch.tensor([[1.0, 2.0, 3.0], [1, 0, 1]]), labels)
    tally.add(torch.tensor([[0.5, 0.5], [1, 1]]), labels[:1])

    assert tally.figures("loss") == {"loss": 7 / 5}
    assert tally.figures("token_accuracy") == {"loss": 7 / 5, "token_accuracy": 4 / 5}
    assert tally.figures("exact_match") == {"loss": 7 / 5, "exact_match": 2 / 3}


def test_first_choices_are_the_same_where_logits_are_made_in_parts(tiny_gemma3, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(tiny_gemma3)
    ids = torch.randint(5, 300, (3, 20), generator=torch.Generator().manual_seed(1))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}
    expected = (model(ids).logits[:, :-1].argmax(-1) == ids[:, 1:]).float().flatten()

    whole = token_scores(model, loss_and_hit, **batch)
    monkeypatch.setattr(of_training, "LOGITS_AT_ONCE", 7 * model.config.vocab_size)
    in_parts = token_scores(model, loss_and_hit, **batch)

    torch.testing.assert_close(in_parts, whole)
    assert torch.equal(whole[1], expected)
