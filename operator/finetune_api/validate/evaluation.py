"""What is wrong with an evaluate pass: that it can measure what it is asked to, of what it is given. Pure."""

from collections.abc import Iterator

from finetune_api.export_options import RUN_HERE, gives_logits
from finetune_api.plan import execution_provider, input_name, system_name
from finetune_api.problem import Problem, unknown_name
from finetune_api.resource.exports import Export
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Evaluate, Pass
from finetune_api.validate.comparison import comparison_problems
from finetune_api.validate.data import has_answer
from finetune_api.validate.extraction import measured_adapter_problems
from finetune_api.validate.names import data_reference
from finetune_api.validate.systems import has_provider


def evaluation_problems(spec: FineTuneJobSpec, index: int, config: Evaluate, path: str) -> Iterator[Problem]:
    """All that is wrong with an evaluate pass.

    Args:
        spec: the spec it is part of.
        index: of the pass.
        config: its config.
        path: of that, such as spec.passes[3].evaluate.
    """
    step = spec.passes[index]
    yield from data_reference(f"{path}.data", config.data, spec)
    yield from _evaluator_problems(spec, config, path)
    yield from comparison_problems(spec, step, f"{path}.comparedTo")
    yield from measured_adapter_problems(spec, index, f"{path}.adapter")
    yield from _graph_problems(spec, step, input_name(spec, index), path.rpartition(".")[0])
    yield from _graph_problems(spec, step, config.compared_to, f"{path}.comparedTo")


def _evaluator_problems(spec: FineTuneJobSpec, config: Evaluate, path: str) -> Iterator[Problem]:
    known = {evaluator.name: evaluator for evaluator in spec.evaluators}
    if config.evaluator not in known:
        yield unknown_name(f"{path}.evaluator", "evaluator", config.evaluator, list(known))
        return
    rows = next((c for c in spec.data_configs if c.name == config.data), None)
    asking = next((m.variant_alias for m in known[config.evaluator].metrics if m.config.needs_answer), None)
    if rows and asking and not has_answer(rows):
        yield Problem(
            f"{path}.data",
            f"{asking} needs an answer, and the rows of {config.data!r} have none",
            "use a textTemplate with a prompt and an answer, a pair or a chat, or set answerColumn",
        )


def _graph_problems(spec: FineTuneJobSpec, step: Pass, name: str, path: str) -> Iterator[Problem]:
    """That an exported graph which is to be measured, or compared with, can be run, and answers."""
    built = next((p for p in spec.passes if p.name == name), None)
    if built is None or not isinstance(built.config, Export):
        return
    provider = execution_provider(spec, built)
    if provider not in RUN_HERE:
        remedy = "measure the model before its export, or an export for the CPU"
        yield Problem(path, f"{name!r} is made for {provider}, which the runner does not bring", remedy)
    elif not has_provider(spec, step, provider):
        message = (
            f"{name!r} is made for {provider}, which needs an accelerator that system {system_name(spec, step)!r} lacks"
        )
        yield Problem(path, message, "run it on a system with one, or measure the model before its export")
    if not gives_logits(built.config):
        remedy = "measure the model before its export"
        yield Problem(path, f"{name!r} lacks its embedding or its head, so it gives no answers", remedy)
