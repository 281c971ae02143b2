"""That names are given once, and that those which refer to something lead there. Pure."""

from collections.abc import Iterator

from finetune_api.problem import Problem, unknown_name
from finetune_api.resource.job import FineTuneJobSpec


def duplicate_names(spec: FineTuneJobSpec) -> Iterator[Problem]:
    """Names that two items of a list have."""
    lists = {
        "dataConfigs": spec.data_configs,
        "systems": spec.systems,
        "passes": spec.passes,
        "evaluators": spec.evaluators,
    }
    for field, items in lists.items():
        names = [item.name for item in items]  # type: ignore[attr-defined]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Problem(f"spec.{field}[{index}].name", f"{name!r} is used twice", "give each a name of its own")


def system_reference(path: str, name: str, spec: FineTuneJobSpec) -> Iterator[Problem]:
    """That a system of this name is there, where one is named."""
    known = [system.name for system in spec.systems]
    if name and name not in known:
        yield unknown_name(path, "system", name, known)


def data_reference(path: str, name: str, spec: FineTuneJobSpec) -> Iterator[Problem]:
    """That a data config of this name is there."""
    known = [config.name for config in spec.data_configs]
    if name not in known:
        yield unknown_name(path, "data config", name, known)
