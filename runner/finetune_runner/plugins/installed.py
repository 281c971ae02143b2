"""Plugins whose packages are installed beside this program. A plugin's module loads when it is asked for."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plugin import GROUP, PluginConfig, PluginPass, Product


@dataclass(frozen=True)
class InstalledPlugin:
    """A plugin and where it comes from."""

    name: str
    distribution: str
    version: str
    kind: type[PluginPass[Any]]
    libraries: Mapping[str, str]
    """Name to version of what decides its output: its own distribution, and those it names."""

    @property
    def title(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"

    def parse(self, config: Mapping[str, Any]) -> PluginConfig:
        """The config, as strictly as the API server takes a manifest: "8" is no number.

        Raises:
            ValidationError: it is not what the plugin takes.
        """
        return self.kind.config.model_validate_json(json.dumps(config), strict=True)


def entry_points() -> list[EntryPoint]:
    """What is installed, in order of name; nothing is loaded."""
    return sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name)


def described(entry: EntryPoint) -> str:
    """Such as wise-ft (finetune-wise-ft 0.1.0)."""
    return f"{entry.name} ({_origin(entry).name} {_origin(entry).version})"


def load(entry: EntryPoint) -> InstalledPlugin:
    """Imports a plugin.

    Raises:
        FineTuneError: PluginFailed, when it can't be imported or does not keep to the contract.
    """
    try:
        kind = entry.load()
    except (Exception, SystemExit) as error:
        message = f"plugin {described(entry)} cannot be loaded: {type(error).__name__}: {error}"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy="Install what it needs beside it.") from error
    for complaint in _complaints(kind):
        message = f"plugin {described(entry)} does not keep to the contract: {entry.value} {complaint}"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy="See docs/plugins.md; tell whoever wrote it.")
    origin = _origin(entry)
    return InstalledPlugin(entry.name, origin.name, origin.version, kind, _libraries(entry, kind))


def _origin(entry: EntryPoint) -> metadata.Distribution:
    assert entry.dist is not None  # noqa: S101  metadata.entry_points sets it
    return entry.dist


def _complaints(kind: object) -> Iterator[str]:
    if not (isinstance(kind, type) and issubclass(kind, PluginPass)):
        yield "is not a subclass of finetune_api.plugin.PluginPass"
        return
    if missing := sorted(kind.__abstractmethods__):
        yield f"lacks {', '.join(missing)}"
    config = getattr(kind, "config", None)
    if not (isinstance(config, type) and issubclass(config, PluginConfig)):
        yield "has no config that is a subclass of finetune_api.plugin.PluginConfig"
    elif config.model_config.get("extra") != "forbid":
        yield "has a config that takes unknown fields"
    if not (kind.accepts and set(kind.accepts) <= set(Product) - {Product.FIGURES}):
        yield "accepts something else than models, adapters and ONNX models"
    if kind.produces not in set(Product):
        yield f"produces {kind.produces!r}, which is no Product"


def _libraries(entry: EntryPoint, kind: type[PluginPass[Any]]) -> dict[str, str]:
    origin = _origin(entry)
    return {origin.name: origin.version} | {name: _version(entry, name) for name in kind.libraries}


def _version(entry: EntryPoint, library: str) -> str:
    """The public version, without a build's suffix such as +cpu."""
    try:
        return metadata.version(library).partition("+")[0]
    except metadata.PackageNotFoundError as error:
        message = f"plugin {described(entry)} works with {library}, which is not installed"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy=f"Install {library} beside it.") from error
