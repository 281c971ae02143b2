"""Memory that does not suffice: the micro-batch shrinks, and the result stays the same."""

import pytest
import torch
from transformers import AutoModelForCausalLM, set_seed

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.training import Training
from finetune_runner.data.tokens import IGNORED
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.arguments import training_arguments
from finetune_runner.training.batches import PadToLongest
from finetune_runner.training.trainer import AdapterTrainer
from passes import Reported, lora, tune

LENGTHS = (5, 23, 11, 17, 8, 3, 29, 14)
PATH = "spec.passes[0].lora.training"


def items():
    """Sequences of different lengths, each with another share of tokens that count."""
    generator = torch.Generator().manual_seed(3)
    rows = [torch.randint(5, 300, (length,), generator=generator).tolist() for length in LENGTHS]
    return [{"input_ids": row, "labels": [IGNORED] * (len(row) // 3) + row[len(row) // 3 :]} for row in rows]


def trainer_of(model, folder, report=None, held_out=(), *, checkpointing=False, **training):
    """A trainer of a fresh adapter on eight rows."""
    set_seed(1)
    given = {"perDeviceTrainBatchSize": 4, "maxSteps": 2, "maxGradNorm": 0, "groupByLength": False, **training}
    arguments = training_arguments(
        Training.model_validate(given),
        scratch=folder,
        device="cpu",
        dtype=torch.float32,
        path=PATH,
        checkpointing=checkpointing,
    )
    adapted = with_adapter(AutoModelForCausalLM.from_pretrained(model), lora(), "spec.passes[0].lora")
    return AdapterTrainer(
        adapted,
        arguments,
        train=items(),
        held_out=held_out,
        collate=PadToLongest(0),
        report=report or Reported(),
        path=PATH,
    )


def gradients_of(trainer):
    """What the optimizer gets at each step."""
    seen = []

    def note(*_):
        seen.append({name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None})

    trainer.create_optimizer()
    trainer.optimizer.register_step_pre_hook(note)
    trainer.train()
    return seen


def short_of_memory(trainer, most):
    """A model whose device has room for `most` sequences."""

    def forward(module, positional, named):
        rows = len(named["input_ids"])
        if rows > most:
            msg = f"CUDA out of memory. Tried to allocate {rows} MiB."
            raise torch.OutOfMemoryError(msg)

    trainer.model.register_forward_pre_hook(forward, with_kwargs=True)
    return trainer


def assert_alike(some, others):
    assert len(some) == len(others) == 2
    assert max(float(gradient.abs().max()) for gradient in some[0].values()) > 1e-3
    for one, other in zip(some, others, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_four_at_once_and_four_one_by_one_give_the_same_gradient(tiny_family, tmp_path):
    whole = gradients_of(trainer_of(tiny_family, tmp_path))
    parts = {"perDeviceTrainBatchSize": 1, "gradientAccumulationSteps": 4}

    assert_alike(whole, gradients_of(trainer_of(tiny_family, tmp_path, **parts)))


@pytest.mark.parametrize("most", [1, 2, 3])
def test_out_of_memory_lowers_the_micro_batch_and_keeps_the_gradient(tiny_phi3, tmp_path, caplog, most):
    report = Reported()
    cramped = short_of_memory(trainer_of(tiny_phi3, tmp_path, report), most)

    assert_alike(gradients_of(trainer_of(tiny_phi3, tmp_path)), gradients_of(cramped))

    lowered = {1: 1, 2: 2, 3: 2}[most]
    assert "out of accelerator memory with a micro-batch of 4: from now on 2" in caplog.text
    assert [said["micro_batch"] for said in report.steps] == [lowered, lowered]
    assert cramped.meter.tokens == sum(LENGTHS)


def test_memory_that_runs_out_in_a_backward_pass_leaves_no_half_of_a_gradient(tiny_phi3, tmp_path):
    trainer = trainer_of(tiny_phi3, tmp_path, gradientAccumulationSteps=2, perDeviceTrainBatchSize=2)
    left = [2]

    def backward(gradient):
        """In the second micro-batch of the first step, when the later layers' gradients are there."""
        left[0] -= 1
        if left[0] == 0:
            msg = "CUDA out of memory."
            raise torch.OutOfMemoryError(msg)

    first = next(p for name, p in trainer.model.named_parameters() if p.requires_grad and "layers.0" in name)
    first.register_hook(backward)
    usual = trainer_of(tiny_phi3, tmp_path, gradientAccumulationSteps=2, perDeviceTrainBatchSize=2)

    assert_alike(gradients_of(usual), gradients_of(trainer))
    assert trainer.lowered_micro_batch == 1


def test_a_single_sequence_that_does_not_fit_is_the_end(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="a micro-batch of one sequence does not fit: CUDA out of memory") as caught:
        short_of_memory(trainer_of(tiny_phi3, tmp_path), 0).train()

    assert caught.value.reason is Reason.OUT_OF_ACCELERATOR_MEMORY
    assert caught.value.path == PATH
    assert caught.value.remedy == "Lower preprocess.maxSeqLen, set training.gradientCheckpointing, or use qlora."


def test_what_is_done_already_is_no_remedy(tiny_phi3, tmp_path):
    one = {"perDeviceTrainBatchSize": 1, "perDeviceEvalBatchSize": 1}
    twice = trainer_of(tiny_phi3, tmp_path, checkpointing=True, held_out=items(), **one)

    for work in (short_of_memory(twice, 0).train, twice.evaluate):
        with pytest.raises(FineTuneError) as caught:
            work()
        assert caught.value.remedy == "Lower preprocess.maxSeqLen, or use qlora."


def test_evaluation_makes_do_with_less_memory_too(tiny_phi3, tmp_path):
    usual = trainer_of(tiny_phi3, tmp_path, held_out=items()).evaluate()["eval_loss"]
    cramped = short_of_memory(trainer_of(tiny_phi3, tmp_path, held_out=items()), 3)

    assert cramped.evaluate()["eval_loss"] == pytest.approx(usual, abs=1e-6)
    assert cramped.evaluated.size == 2


def test_a_learning_rate_that_diverges_ends_the_pass_within_a_few_steps_and_with_a_remedy(tiny_phi3, tmp_path):
    report = Reported()
    training = {"learningRate": 1.0, "optim": "sgd", "maxGradNorm": 0, "maxSteps": 500}
    training |= {"extra": {"optim_args": "momentum=0.9"}}

    with pytest.raises(FineTuneError) as caught:
        tune(tiny_phi3, tmp_path / "adapter", lora(alpha=512, training=training), report=report)

    assert caught.value.reason is Reason.NAN_LOSS
    assert "learningRate" in caught.value.remedy
    assert caught.value.path == PATH
    assert len(report.steps) < 50


def test_weights_without_a_bound_end_the_pass_at_its_first_step(tiny_phi3, tmp_path):
    trainer = trainer_of(tiny_phi3, tmp_path)
    with torch.no_grad():
        next(p for name, p in trainer.model.named_parameters() if "down_proj.base_layer" in name)[0, 0] = float("inf")

    with pytest.raises(FineTuneError, match="the loss became nan at step 1") as caught:
        trainer.train()

    assert caught.value.reason is Reason.NAN_LOSS
