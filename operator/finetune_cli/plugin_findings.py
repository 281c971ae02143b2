"""What the plugins that are installed on this machine say of a job."""

from finetune_api.failures import FineTuneError
from finetune_api.plan import PlannedPass, plan
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec


def plugin_findings(spec: FineTuneJobSpec) -> tuple[list[Problem], list[Problem]]:
    """What is wrong with a valid spec's plugin passes, and what can't be checked here."""
    problems: list[Problem] = []
    notes: list[Problem] = []
    for step in plan(spec).passes:
        if step.spec.plugin:
            wrong, unknown = _findings(spec, step, step.spec.plugin.name)
            problems += wrong
            notes += unknown
    return problems, notes


def _findings(spec: FineTuneJobSpec, step: PlannedPass, name: str) -> tuple[list[Problem], list[Problem]]:
    from finetune_runner.plugins import checking, installed  # noqa: PLC0415  few jobs have plugins

    path = checking.path_of(step)
    if all(entry.name != name for entry in installed.entry_points()):
        message = f"plugin {name!r} is not installed on this machine, so its config is not checked"
        return [], [Problem(path, message, "prepare checks it, in the image of the pass's system")]
    try:
        return list(checking.problems(spec, step, checking.named(name, path))), []
    except FineTuneError as error:
        return [Problem(error.path, error.message, error.remedy)], []
