"""finetune passes."""

from command_line import finetune

__all__ = ["finetune"]


def test_training_arguments_are_told_once_for_all_tuning_passes(finetune):
    out = finetune("passes").out

    assert out.count("training.learningRate (number") == 1
    assert "\ntraining (in lora, qlora, dora, loftq, loha, lokr)\n" in out
    assert out.count("  r (integer, default 64)") == 6


def test_they_are_told_with_a_tuning_pass_alone_and_not_without_one(finetune):
    assert "training.learningRate (number" in finetune("passes", "lora").out
    assert "training" not in finetune("passes", "extractAdapters").out
