"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class NamedFolder(click.ParamType[tuple[str, Path]]):
    """name=folder; the folder exists."""

    name = "NAME=FOLDER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, equals, folder = str(value).partition("=")
        if not (name and equals and folder):
            self.fail(f"{value!r} is not NAME=FOLDER", param, ctx)
        if not Path(folder).is_dir():
            self.fail(f"there is no folder {folder!r}", param, ctx)
        return name, Path(folder)


NAMED = NamedFolder()
MOUNT = click.option("--mount", "mounts", type=NAMED, multiple=True, help="Folder that stands for a claim.")
SECRET = click.option(
    "--secret", "secrets", type=NAMED, multiple=True, help="Folder that stands for a secret, one file a key."
)
CONFIG_MAP = click.option(
    "--config-map", "config_maps", type=NAMED, multiple=True, help="Folder that stands for a config map."
)

ENDPOINT = click.option(
    "--endpoint",
    default="",
    help="URL of an S3-compatible service. Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS.",
)


def mapped_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what maps objects of a cluster to folders: mounts, secrets and config_maps."""
    for option in (CONFIG_MAP, SECRET, MOUNT):  # the last one is shown first
        command = option(command)
    return command
