"""finetune chat."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_cli.options import ENDPOINT

if TYPE_CHECKING:
    from finetune_runner.artifact.prompts import Prompts
    from finetune_runner.artifact.runtime import Runtime

UNFINISHED = "\ufffd"
"""What a character decodes to of which a token is missing."""


def default_cache() -> Path:
    """https://specifications.freedesktop.org/basedir/latest/"""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finetune-operator" / "artifacts"


@click.command()
@click.argument("location")
@click.option("--prompt", help="Answer this once. Several columns: as a JSON object. Default: ask on the terminal.")
@click.option("--adapter", default="", help="Of a model with several adapters: the one that answers.")
@click.option(
    "--max-new-tokens", type=click.IntRange(min=1), default=256, show_default=True, help="Length of an answer."
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_cache,
    show_default="~/.cache/finetune-operator/artifacts",
    help="Keeps what is downloaded.",
)
@ENDPOINT
def command(
    *, location: str, prompt: str | None, adapter: str, max_new_tokens: int, cache: Path, endpoint: str
) -> None:
    """Ask a published ONNX model: it is verified, and asked in the words that it was trained on.

    LOCATION is a job's output: s3://bucket/prefix, or a folder. A damaged one is refused, as by `finetune verify`.
    What you say becomes a prompt by the template recorded in it (prompt.json). An empty line or Ctrl-D ends.
    """
    from finetune_cli.artifact.download import on_this_machine  # noqa: PLC0415
    from finetune_runner.artifact.adapters import meant  # noqa: PLC0415
    from finetune_runner.artifact.prompts import Prompts, recorded  # noqa: PLC0415
    from finetune_runner.artifact.runtime import Runtime  # noqa: PLC0415
    from finetune_runner.artifact.stop_tokens import stop_tokens  # noqa: PLC0415
    from finetune_runner.data.tokenizers import open_tokenizer  # noqa: PLC0415

    folder = on_this_machine(location, endpoint, cache)
    adapter = meant(folder, adapter)
    tokenizer = open_tokenizer(folder, trust_remote_code=False)
    prompts = Prompts(recorded(folder, tokenizer, adapter), tokenizer)
    runtime = Runtime(folder, stop_tokens(folder, tokenizer.eos_token_id), adapter)
    try:
        said = iter([prompts.values(prompt)]) if prompt is not None else _asked(prompts.columns)
        for values in said:
            _answer(runtime, prompts, values, tokenizer, max_new_tokens)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _asked(columns: list[str]) -> Iterator[dict[str, str]]:
    """What the user says, column by column."""
    while True:
        values = {}
        for column in columns:
            try:
                values[column] = click.prompt(column, default="", show_default=False, prompt_suffix="> ", err=True)
            except click.Abort:
                click.echo(err=True)
                return
        if not any(values.values()):
            return
        yield values


def _answer(
    runtime: "Runtime", prompts: "Prompts", values: dict[str, str], tokenizer: Any, max_new_tokens: int
) -> None:
    """Prints an answer as it is made."""
    tokens, text = list[int](), ""
    for token in runtime.answer(prompts.tokens(values), max_new_tokens):
        tokens.append(token)
        longer = str(tokenizer.decode(tokens))
        if not longer.endswith(UNFINISHED):
            click.echo(longer[len(text) :], nl=False)
            text = longer
    click.echo()
    prompts.heard(text)
