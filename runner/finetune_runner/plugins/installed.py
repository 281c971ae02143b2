"""Plugins whose packages are installed beside this program. A plugin's module loads when it is asked for."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Any, Generic, TypeVar

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plugin import GROUP, METRICS_GROUP, PluginConfig, PluginMetric, PluginPass, Product

Kind = TypeVar("Kind", bound=PluginPass[Any] | PluginMetric[Any])


@dataclass(frozen=True)
class Installed(Generic[Kind]):
    """A plugin and where it comes from."""

    name: str
    distribution: str
    version: str
    kind: type[Kind]
    libraries: Mapping[str, str]
    """Name to version of what decides its output: its own distribution, and those it names; empty: not installed."""

    @property
    def title(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"

    def parse(self, config: Mapping[str, Any]) -> PluginConfig:
        """The config, as strictly as the API server takes a manifest: "8" is no number.

        Raises:
            ValidationError: it is not what the plugin takes.
        """
        return self.kind.config.model_validate_json(json.dumps(config), strict=True)


InstalledPlugin = Installed[PluginPass[Any]]
InstalledMetric = Installed[PluginMetric[Any]]
AnyInstalled = InstalledPlugin | InstalledMetric


def entry_points(group: str = GROUP) -> list[EntryPoint]:
    """What is installed of a group, in order of name; nothing is loaded."""
    return list(_entry_points(group, tuple(sys.path)))


@cache
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001  what is found depends on it
    """Looking through all that is installed takes as long as validating a manifest does."""
    return tuple(sorted(metadata.entry_points(group=group), key=lambda entry: entry.name))


def described(entry: EntryPoint) -> str:
    """Such as wise-ft (finetune-wise-ft 0.1.0)."""
    return f"{entry.name} ({_origin(entry).name} {_origin(entry).version})"


def load(entry: EntryPoint) -> InstalledPlugin:
    """Imports a pass.

    Raises:
        FineTuneError: PluginFailed, when it can't be imported or does not keep to the contract.
    """
    return _load(entry)


def load_metric(entry: EntryPoint) -> InstalledMetric:
    """Imports a metric; raises as `load` does."""
    return _load(entry)


def _load(entry: EntryPoint) -> Installed[Any]:
    try:
        kind = entry.load()
    except (Exception, SystemExit) as error:
        message = f"plugin {described(entry)} cannot be loaded: {type(error).__name__}: {error}"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy="Install what it needs beside it.") from error
    for complaint in _metric_complaints(kind) if entry.group == METRICS_GROUP else _pass_complaints(kind):
        message = f"plugin {described(entry)} does not keep to the contract: {entry.value} {complaint}"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy="See docs/plugins.md; tell whoever wrote it.")
    origin = _origin(entry)
    return Installed(entry.name, origin.name, origin.version, kind, _libraries(entry, kind))


def _origin(entry: EntryPoint) -> metadata.Distribution:
    assert entry.dist is not None  # noqa: S101  metadata.entry_points sets it
    return entry.dist


def _pass_complaints(kind: Any) -> Iterator[str]:
    yield from _complaints(kind, PluginPass)
    if not (kind.accepts and set(kind.accepts) <= set(Product) - {Product.FIGURES}):
        yield "accepts something else than models, adapters and ONNX models"
    if kind.produces not in set(Product):
        yield f"produces {kind.produces!r}, which is no Product"


def _metric_complaints(kind: Any) -> Iterator[str]:
    yield from _complaints(kind, PluginMetric)
    if not isinstance(kind.higher_is_better, bool):
        yield "does not say by higher_is_better whether a higher value is better"


def _complaints(kind: Any, base: type) -> Iterator[str]:
    if not (isinstance(kind, type) and issubclass(kind, base)):
        yield f"is not a subclass of finetune_api.plugin.{base.__name__}"
        return
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        yield f"lacks {', '.join(missing)}"
    config = getattr(kind, "config", None)
    if not (isinstance(config, type) and issubclass(config, PluginConfig)):
        yield "has no config that is a subclass of finetune_api.plugin.PluginConfig"
    elif config.model_config.get("extra") != "forbid":
        yield "has a config that takes unknown fields"


def _libraries(entry: EntryPoint, kind: type[PluginPass[Any]] | type[PluginMetric[Any]]) -> dict[str, str]:
    origin = _origin(entry)
    return {origin.name: origin.version} | {name: _version(name) for name in kind.libraries}


def _version(library: str) -> str:
    """The public version, without a build's suffix such as +cpu."""
    try:
        return metadata.version(library).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""
