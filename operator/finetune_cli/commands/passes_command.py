"""finetune passes."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint

import click

from finetune_api.failures import FineTuneError
from finetune_api.plugin import GROUP, METRICS_GROUP
from finetune_api.resource.passes import Tuning
from finetune_api.resource.training import Training
from finetune_cli import fields
from finetune_cli.fields import Field
from finetune_runner.plugins import installed
from finetune_runner.plugins.installed import InstalledMetric

WIDTH = 100
TRAINING = "training"
"""The part that all tuning passes have in common."""


@click.command()
@click.argument("names", nargs=-1)
def command(names: tuple[str, ...]) -> None:
    """List the passes with their fields, defaults and meaning; of NAMES only, where given.

    Installed plugins come after the passes of our own, and then installed metrics; a manifest names them by plugin.name
    of the pass or the evaluator's metric, and writes their fields below plugin.config.
    """
    plugins = {entry.name: entry for group in (METRICS_GROUP, GROUP) for entry in installed.entry_points(group)}
    offered = sorted(plugins, key=lambda name: (plugins[name].group == METRICS_GROUP, name))
    known = fields.pass_names() + [name for name in offered if name not in fields.pass_names()]
    for name in names:
        if name not in known:
            raise click.UsageError(f"no pass is named {name!r}; there is {', '.join(known)}")
    named = names or tuple(known)
    shown = [_plugin(plugins[name]) if name in plugins else _own(name) for name in named]
    click.echo("\n\n".join([*shown, *_training(named)]))


def _own(name: str) -> str:
    model = fields.pass_model(name)
    more = " The fields of training are listed at the end." if issubclass(model, Tuning) else ""
    listed = [field for field in fields.fields_of(model) if not field.path.startswith(f"{TRAINING}.")]
    return _described(name, fields.summary(model) + more, listed)


def _training(names: Sequence[str]) -> Iterator[str]:
    """The training arguments of the tuning passes among the names, once for all."""
    tuning = [n for n in names if n in fields.pass_names() and issubclass(fields.pass_model(n), Tuning)]
    if tuning:
        title = f"{TRAINING} (in {', '.join(tuning)})"
        yield _described(title, fields.summary(Training), fields.fields_of(Training, below=TRAINING))


def _plugin(entry: EntryPoint) -> str:
    try:
        if entry.group == METRICS_GROUP:
            return _metric(installed.load_metric(entry))
        plugin = installed.load(entry)
    except FineTuneError as error:
        return f"{entry.name} (plugin)\n{_folded(str(error), 2)}"
    accepted = " or ".join(sorted(plugin.kind.accepts))
    title = f"{plugin.name} (plugin of {plugin.distribution} {plugin.version}: {accepted} to {plugin.kind.produces})"
    return _described(title, fields.summary(plugin.kind), fields.fields_of(plugin.kind.config))


def _metric(metric: InstalledMetric) -> str:
    better = "higher" if metric.kind.higher_is_better else "lower"
    title = f"{metric.name} (metric of {metric.distribution} {metric.version}: {better} is better)"
    return _described(title, fields.summary(metric.kind), fields.fields_of(metric.kind.config))


def _described(title: str, summary: str, listed: Iterable[Field]) -> str:
    lines = [title, _folded(summary, 2)]
    for field in listed:
        default = f", default {field.default}" if field.default else ", required"
        lines.append(f"\n  {field.path} ({field.kind}{default})")
        if field.description:
            lines.append(_folded(field.description, 6))
    return "\n".join(lines)


def _folded(text: str, indent: int) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)
