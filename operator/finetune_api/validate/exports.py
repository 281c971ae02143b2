"""What is wrong with a pass that exports to ONNX. Pure."""

from collections.abc import Iterator

from finetune_api.export_options import refusals
from finetune_api.plan import execution_provider
from finetune_api.problem import Problem
from finetune_api.resource.exports import Export
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass
from finetune_api.validate.names import data_reference


def export_problems(spec: FineTuneJobSpec, step: Pass, config: Export, path: str) -> Iterator[Problem]:
    """That the builder can make it for its execution provider, and that its calibration rows are there.

    Args:
        spec: the spec it is part of.
        step: the pass.
        config: its config.
        path: of that, such as spec.passes[2].modelBuilder.
    """
    for refusal in refusals(config, execution_provider(spec, step)):
        yield Problem(f"{path}.{refusal.name}", refusal.message, refusal.remedy)
    if step.model_builder and step.model_builder.calibration_data:
        yield from data_reference(f"{path}.calibrationData", step.model_builder.calibration_data, spec)
