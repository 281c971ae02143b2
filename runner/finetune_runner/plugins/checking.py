"""Whether a job's plugins are there, and take what the job gives them: found out before anything starts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from pydantic import ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import PlannedPass, plan
from finetune_api.plugin import GROUP, PluginConfig
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.cache_keys.lineage import source_product
from finetune_runner.plugins import installed
from finetune_runner.plugins.installed import AnyInstalled, InstalledPlugin


@dataclass(frozen=True)
class PluginCall:
    """A plugin, and the config a pass gives it."""

    plugin: InstalledPlugin
    config: PluginConfig


def plugin_calls(spec: FineTuneJobSpec) -> dict[str, PluginCall]:
    """Name of each pass that is a plugin to its plugin.

    Raises:
        FineTuneError: InvalidSpec or PluginFailed, with the first problem's place.
    """
    calls: dict[str, PluginCall] = {}
    for step in plan(spec).passes:
        if step.spec.plugin is None:
            continue
        plugin = named(step.spec.plugin.name, path_of(step))
        require_libraries(plugin, path_of(step))
        for problem in problems(spec, step, plugin):
            raise FineTuneError(Reason.INVALID_SPEC, problem.message, remedy=problem.remedy, path=problem.path)
        calls[step.name] = PluginCall(plugin, plugin.parse(step.spec.plugin.config))
    return calls


def path_of(step: PlannedPass) -> str:
    return f"spec.passes[{step.index}].plugin"


def named(name: str, path: str) -> InstalledPlugin:
    """The installed plugin of a name.

    Raises:
        FineTuneError: InvalidSpec, when none or several have the name; PluginFailed, when it can't be loaded.
    """
    entry = the_entry(name, path, GROUP)
    with at(path):
        return installed.load(entry)


def require_libraries(plugin: AnyInstalled, path: str) -> None:
    """That all is installed which the plugin runs with: not needed to check its config, but to run it.

    Raises:
        FineTuneError: PluginFailed, with the first library that is missing.
    """
    for library in (name for name, version in plugin.libraries.items() if not version):
        title = f"plugin {plugin.name} ({plugin.distribution} {plugin.version})"
        message = f"{title} works with {library}, which is not installed"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy=f"Install {library} beside it.", path=path)


@contextmanager
def at(path: str) -> Iterator[None]:
    """Gives a failure its place."""
    try:
        yield
    except FineTuneError as error:
        error.path = path
        raise


def the_entry(name: str, path: str, group: str) -> EntryPoint:
    """The one entry point of a name.

    Raises:
        FineTuneError: InvalidSpec, when none or several have the name.
    """
    entries = installed.entry_points(group)
    offered = [entry for entry in entries if entry.name == name]
    if len(offered) != 1:
        known = ", ".join(installed.described(entry) for entry in offered or entries) or "none"
        number = "several plugins are" if offered else "no plugin is"
        raise FineTuneError(
            Reason.INVALID_SPEC,
            f"{number} named {name!r} here; installed: {known}",
            remedy="Install the one package that has it in the image of the pass's system (docs/plugins.md).",
            path=f"{path}.name",
        )
    return offered[0]


def problems(spec: FineTuneJobSpec, step: PlannedPass, plugin: InstalledPlugin) -> Iterator[Problem]:
    """What the plugin does not take."""
    assert step.spec.plugin is not None  # noqa: S101  the caller's choice
    path = path_of(step)
    if plugin.kind.produces is not step.product:
        message = f"{plugin.title} makes: {plugin.kind.produces}"
        yield Problem(f"{path}.produces", message, f"write produces: {plugin.kind.produces}")
    source = source_product(plan(spec), step)
    if source not in plugin.kind.accepts:
        wanted = " or ".join(sorted(plugin.kind.accepts))
        message = f"{plugin.title} works on: {wanted}; {step.input!r} makes: {source}"
        yield Problem(path, message, "put a pass that makes it before, or name one by input")
    yield from config_problems(plugin, step.spec.plugin.config, f"{path}.config")


def config_problems(plugin: AnyInstalled, given: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What the plugin's own model says of a config."""
    try:
        plugin.parse(given)
    except ValidationError as error:
        for item in error.errors():
            yield _problem(plugin, item, path)


def _problem(plugin: AnyInstalled, item: Any, path: str) -> Problem:
    place = path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"])
    advice = f"finetune passes {plugin.name} lists the fields of {plugin.distribution} {plugin.version}"
    if item["type"] == "extra_forbidden":
        return Problem(place, "unknown field", advice)
    if item["type"] == "missing":
        return Problem(place, "required, but not given", advice)
    return Problem(place, item["msg"].removeprefix("Value error, "), advice)


def require_same(step: PlannedPass, libraries: Mapping[str, str]) -> None:
    """That this image has what prepare's had, since the output is found again by it.

    Raises:
        FineTuneError: InvalidSpec, when another version is installed here.
    """
    assert step.spec.plugin is not None  # noqa: S101  the caller's choice
    path = path_of(step)
    refuse_other(named(step.spec.plugin.name, path).libraries, libraries, path)


def refuse_other(here: Mapping[str, str], libraries: Mapping[str, str], path: str) -> None:
    """Refuses what is installed here where prepare found something else; raises as `require_same` does."""
    if dict(here) != dict(libraries):
        raise FineTuneError(
            Reason.INVALID_SPEC,
            f"the image has changed since the job was prepared: it has {_listed(here)}, and had {_listed(libraries)}",
            remedy="Name the image by its digest, and create the job anew.",
            path=path,
        )


def _listed(libraries: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in libraries.items()) or "none"
