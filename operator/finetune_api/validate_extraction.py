"""Which adapters an ONNX adapter file can hold. Pure."""

from collections.abc import Iterator

from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora, Tuning

NOT_FACTORS = {
    "dora": "the magnitudes of a DoRA adapter",
    "loha": "the Hadamard products of a LoHa adapter",
    "lokr": "the Kronecker products of a LoKr adapter",
}
"""Tuning passes whose adapters are more than two factors for each layer, and what the more is."""
REMEDY = "tune with lora, qlora or loftq, or merge the adapter and export the model with modelBuilder"


def extraction_problems(spec: FineTuneJobSpec, source: str, path: str) -> Iterator[Problem]:
    """What of an adapter would be lost in an ONNX adapter file, which holds two factors for each layer.

    Args:
        spec: the spec it is part of.
        source: name of the pass that makes the adapter.
        path: of the extraction, such as spec.passes[1].extractAdapters.
    """
    tuned = next(step for step in spec.passes if step.name == source)
    if tuned.variant in NOT_FACTORS:
        message = f"{NOT_FACTORS[tuned.variant]} ({source!r}) have no place in an ONNX adapter"
        yield Problem(path, message, REMEDY)
    if isinstance(tuned.config, Tuning) and tuned.config.modules_to_save:
        message = f"{source!r} also trains modules in full (modulesToSave), which have no place in an ONNX adapter"
        yield Problem(path, message, "leave modulesToSave out, or merge the adapter and export with modelBuilder")
    if isinstance(tuned.config, Lora) and tuned.config.new_tokens:
        message = f"{source!r} has embeddings of new tokens (newTokens), which have no place in an ONNX adapter"
        yield Problem(path, message, "leave newTokens out, or merge the adapter and export with modelBuilder")
