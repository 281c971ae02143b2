"""What is wrong with how training is tracked. Pure."""

from collections.abc import Iterator

from finetune_api.plan import system_name
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass
from finetune_api.resource.training import Training
from finetune_api.trackers import TRACKERS


def tracker_problems(spec: FineTuneJobSpec, step: Pass, training: Training, path: str) -> Iterator[Problem]:
    """That each tracker is named once, and that its address stands in the system's environment.

    Args:
        spec: the spec it is part of.
        step: a tuning pass.
        training: its arguments.
        path: where these stand.
    """
    system = next((s for s in spec.systems if s.name == system_name(spec, step)), None)
    known = {variable.name for variable in system.env} if system else set()
    for index, name in enumerate(training.report_to):
        place, wanted = f"{path}.reportTo[{index}]", TRACKERS[name].variables
        if name in training.report_to[:index]:
            yield Problem(place, f"{name!r} is named twice", "name it once")
        elif system and wanted and not known.intersection(wanted):
            message = f"system {system.name!r} does not say where {name} is: its env has no {' or '.join(wanted)}"
            yield Problem(place, message, f"set {wanted[0]} in env of the system, from a Secret or a ConfigMap")
