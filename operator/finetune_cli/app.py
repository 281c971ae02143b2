"""The commands by name. Each one's module is imported when it is asked for: rich and the runner take their time."""

import importlib

import click

COMMANDS = {
    "cache": "List and prune what jobs keep in their store.",
    "chat": "Ask a published ONNX model.",
    "describe": "Tell how a job stands, and why it failed.",
    "import": "Translate an Olive config into a manifest.",
    "passes": "List the passes with their fields.",
    "preview": "Show what a model would be trained on.",
    "run": "Run a job on this machine, without a cluster.",
    "schema": "Print the JSON schema that editors use.",
    "validate": "Check manifests, all that can be checked without a cluster.",
    "verify": "Check a published artifact against its manifest.",
}
"""Name to what --help says; command X-Y is `command` in finetune_cli.commands.x_y_command."""


class LazyGroup(click.Group):
    """A group whose commands are not imported until they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"finetune_cli.commands.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="finetune-operator")
def finetune() -> None:
    """Work with FineTuneJobs; only describe needs a cluster."""
