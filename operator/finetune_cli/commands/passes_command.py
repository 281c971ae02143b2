"""finetune passes."""

import textwrap

import click

from finetune_cli import fields

WIDTH = 100


@click.command()
@click.argument("names", nargs=-1)
def command(names: tuple[str, ...]) -> None:
    """List the passes with their fields, defaults and meaning; of NAMES only, where given."""
    known = fields.pass_names()
    for name in names:
        if name not in known:
            raise click.UsageError(f"no pass is named {name!r}; there is {', '.join(known)}")
    click.echo("\n\n".join(_described(name) for name in names or known))


def _described(name: str) -> str:
    lines = [name, textwrap.fill(fields.summary(name), WIDTH, initial_indent="  ", subsequent_indent="  ")]
    for field in fields.fields_of(fields.pass_model(name)):
        default = f", default {field.default}" if field.default else ", required"
        lines.append(f"\n  {field.path} ({field.kind}{default})")
        lines.append(textwrap.fill(field.description, WIDTH, initial_indent="      ", subsequent_indent="      "))
    return "\n".join(lines)
