"""Options that several commands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


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


class Age(click.ParamType[float]):
    """30d, 12h, 90m or 2w, in seconds."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d{1,6})([mhdw])", str(value))
        if not found:
            self.fail(f"{value!r} is not a number with m, h, d or w, such as 30d", param, ctx)
        return float(int(found[1]) * UNIT_SECONDS[found[2]])


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
