"""finetune schema."""

import click


@click.command()
def command() -> None:
    """Print the JSON schema of a FineTuneJob, for editors.

    \b
    finetune schema > finetunejob.schema.json
    and as a manifest's first line:
    # yaml-language-server: $schema=finetunejob.schema.json
    """  # noqa: D301  click's mark for a paragraph that is not rewrapped
    from finetune_api.editor_schema import render  # noqa: PLC0415

    click.echo(render(), nl=False)
