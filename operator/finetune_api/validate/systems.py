"""What is wrong with a system, and what passes may ask of theirs. Pure."""

from collections.abc import Iterator

from finetune_api.export_options import runs_on
from finetune_api.plan import system_name
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass
from finetune_api.resource.systems import System, amount
from finetune_api.validate.env import env_problems
from finetune_api.validate.mounts import mount_problems


def system_problems(system: System, path: str) -> Iterator[Problem]:
    """All that is wrong with a system by itself.

    Args:
        system: one of the spec's.
        path: its place, such as spec.systems[0].
    """
    yield from env_problems(system.env, f"{path}.env")
    yield from mount_problems(system.volumes, f"{path}.volumes")
    yield from _resource_problems(f"{path}.resources", system)
    yield from _queue_problems(path, system)


def has_accelerator(spec: FineTuneJobSpec, step: Pass) -> bool:
    """Whether the pass's system has one; true where the system is unknown, which is another finding."""
    system = _system_of(spec, step)
    return system is None or system.accelerator is not None


def has_provider(spec: FineTuneJobSpec, step: Pass, provider: str) -> bool:
    """Whether the pass's system has an execution provider; true where the system is unknown."""
    system = _system_of(spec, step)
    return system is None or runs_on(provider, system.accelerator)


def _system_of(spec: FineTuneJobSpec, step: Pass) -> System | None:
    return next((system for system in spec.systems if system.name == system_name(spec, step)), None)


def _resource_problems(path: str, system: System) -> Iterator[Problem]:
    """The API server would refuse the pod: only when its stage begins, after the passes before it."""
    limits = system.resources.limits
    for name, asked in system.resources.requests.items():
        if name in limits and amount(asked) > amount(limits[name]):
            message = f"{asked} is more than the limit of {limits[name]}"
            yield Problem(f"{path}.requests.{name}", message, "lower it, or raise the limit")


def _queue_problems(path: str, system: System) -> Iterator[Problem]:
    if system.workload_priority_class_name and not system.queue_name:
        remedy = "set queueName, or use priorityClassName"
        yield Problem(f"{path}.workloadPriorityClassName", "orders a queue, and there is none", remedy)
