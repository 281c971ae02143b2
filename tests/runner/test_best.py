"""The adapter of the best evaluation, and training that ends when there is none better."""

import json
import signal

import pytest
from safetensors.torch import load_file

from finetune_runner.interruption import Interrupted, raise_on_sigterm
from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.commit import Cache
from passes import Reported, data_set, lora, tune
from stores import open_store

OTHERS = [{"phrase": "the door is open", "tone": "calm"}, {"phrase": "the tide goes out", "tone": "awe"}]
"""Rows that the more of the training rows is learnt by heart are the less expected."""
EVALUATED = {"evalStrategy": "steps", "evalSteps": 2, "maxSteps": 24, "learningRate": 0.02}


def config(**training):
    return lora(evalData="tones", dropout=0.1, training=EVALUATED | training)


def losses(adapter):
    """Held-out loss by step."""
    log = json.loads((adapter / "training.json").read_text())["log"]
    return {line["step"]: line["eval_loss"] for line in log if "eval_loss" in line}


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
    checkpoints = CheckpointStore(cache, "k" * 32, attempt="pod", kind="lora", pass_version=1, inputs={})
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
