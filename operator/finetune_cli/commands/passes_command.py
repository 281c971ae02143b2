"""finetune passes."""

import textwrap
from importlib.metadata import EntryPoint

import click

from finetune_api.failures import FineTuneError
from finetune_api.resource.base import Model
from finetune_cli import fields
from finetune_runner.plugins import installed

WIDTH = 100


@click.command()
@click.argument("names", nargs=-1)
def command(names: tuple[str, ...]) -> None:
    """List the passes with their fields, defaults and meaning; of NAMES only, where given.

    Installed plugins come after the passes of our own; a manifest names them by plugin.name, and writes their fields
    below plugin.config.
    """
    plugins = {entry.name: entry for entry in installed.entry_points()}
    known = fields.pass_names() + [name for name in plugins if name not in fields.pass_names()]
    for name in names:
        if name not in known:
            raise click.UsageError(f"no pass is named {name!r}; there is {', '.join(known)}")
    click.echo("\n\n".join(_plugin(plugins[name]) if name in plugins else _own(name) for name in names or known))


def _own(name: str) -> str:
    model = fields.pass_model(name)
    return _described(name, fields.summary(model), model)


def _plugin(entry: EntryPoint) -> str:
    try:
        plugin = installed.load(entry)
    except FineTuneError as error:
        return f"{entry.name} (plugin)\n{_folded(str(error), 2)}"
    accepted = " or ".join(sorted(plugin.kind.accepts))
    title = f"{plugin.name} (plugin of {plugin.distribution} {plugin.version}: {accepted} to {plugin.kind.produces})"
    return _described(title, fields.summary(plugin.kind), plugin.kind.config)


def _described(title: str, summary: str, model: type[Model]) -> str:
    lines = [title, _folded(summary, 2)]
    for field in fields.fields_of(model):
        default = f", default {field.default}" if field.default else ", required"
        lines.append(f"\n  {field.path} ({field.kind}{default})")
        if field.description:
            lines.append(_folded(field.description, 6))
    return "\n".join(lines)


def _folded(text: str, indent: int) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)
