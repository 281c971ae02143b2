"""finetune cache."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from finetune_cli.fields import as_written
from finetune_cli.options import ENDPOINT, Age
from finetune_cli.words import age, size

if TYPE_CHECKING:
    from finetune_runner.retention.inventory import Entry
    from finetune_runner.retention.pruning import Removal
    from finetune_runner.store.object_store import ObjectStore

COLUMNS = "{:<44}  {:<22}  {:<20}  {:>10}  {:>5}  {:>5}  {}"


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds where the store is: store, endpoint and namespace."""
    store = click.option("--store", required=True, help="spec.store: s3://bucket/prefix, or a volume's folder.")
    namespace = click.option("--namespace", default="", help="Only this one. Default: all that the store holds.")
    return store(ENDPOINT(namespace(command)))


@click.group()
def command() -> None:
    """List and prune what jobs keep in their store.

    Credentials for S3 are those of the AWS tools (AWS_ACCESS_KEY_ID, AWS_PROFILE…).
    """


@command.command("list")
@store_options
def list_command(*, store: str, endpoint: str, namespace: str) -> None:
    """List the outputs of passes, the newest use last, with what lies beside them.

    AGE is since it was committed, USED since a job last found or made it.
    """
    from finetune_runner.retention.inventory import inventory  # noqa: PLC0415

    now = time.time()
    with _opened(store, endpoint) as opened:
        entries = inventory(opened, now=now, namespace=namespace)
    click.echo(COLUMNS.format("OUTPUT", "PASS", "JOB", "SIZE", "AGE", "USED", "BESIDE"))
    for entry in sorted(entries, key=lambda entry: entry.used):
        click.echo(_line(entry, now).rstrip())
    click.echo(f"{len(entries)} keys, {size(sum(entry.size_bytes for entry in entries))}")


@command.command("prune")
@store_options
@click.option("--older-than", type=Age(), help="Outputs that no job has made or found for so long, such as 30d.")
@click.option("--unfinished", type=Age(), help="Attempts never committed, and checkpoints, untouched for so long.")
@click.option("--yes", is_flag=True, help="Do it. Without this it is only told.")
def prune_command(
    *, store: str, endpoint: str, namespace: str, older_than: float | None, unfinished: float | None, yes: bool
) -> None:
    """Remove outputs that are no longer used, and what was left unfinished.

    Nothing is removed that a job needs whose pod makes a pass now. One that is suspended, or waits in a queue, protects
    nothing: it would make its passes anew, and train from step 0. So choose ages longer than any job stands still.
    Published artifacts, and what is known of jobs, stay.
    """
    from finetune_runner.retention.inventory import inventory  # noqa: PLC0415
    from finetune_runner.retention.pruning import unfinished as unfinished_of  # noqa: PLC0415
    from finetune_runner.retention.pruning import unused  # noqa: PLC0415

    if older_than is None and unfinished is None:
        raise click.UsageError("say what is to go: --older-than AGE, --unfinished AGE, or both")
    now = time.time()
    with _opened(store, endpoint) as opened:
        entries = inventory(opened, now=now, namespace=namespace)
        removals = list(unused(entries, now - older_than)) if older_than is not None else []
        if unfinished is not None:
            removals += unfinished_of(entries, now - unfinished)
        _prune(opened, removals, now, yes=yes)


def _prune(store: "ObjectStore", removals: Iterable["Removal"], now: float, *, yes: bool) -> None:
    from finetune_runner.retention.pruning import remove  # noqa: PLC0415

    freed = 0
    for removal in removals:
        if yes and not remove(store, removal, now):
            click.echo(f"left: {removal.folder.place}: a job has come in between")
            continue
        freed += removal.folder.size_bytes
        click.echo(f"{'removed' if yes else 'would remove'} {_described(removal, now)}")
    click.echo(f"freed {size(freed)}" if yes else f"would free {size(freed)}; --yes does it")


def _described(removal: "Removal", now: float) -> str:
    folder, manifest = removal.folder, removal.entry.manifest
    if removal.manifest and manifest:
        used = age(now - removal.entry.used)
        made = f"{as_written(manifest.kind)}{_of_job(manifest.job)}"
        return f"{removal.entry.place}: {made}, {size(folder.size_bytes)}, used {used} ago"
    what = "checkpoint" if folder in removal.entry.checkpoints else "uncommitted attempt"
    return f"{folder.place}: {what}{_of_job(folder.job)}, {size(folder.size_bytes)}, {age(now - folder.modified)} old"


def _of_job(name: str) -> str:
    return f" of job {name}" if name else ""


def _line(entry: "Entry", now: float) -> str:
    place = entry.place.replace("/cache/", "/")
    manifest, info = entry.manifest, entry.manifest_info
    beside = ", ".join([
        *([f"{len(entry.attempts)} uncommitted"] if entry.attempts else []),
        *([f"{len(entry.checkpoints)} checkpoints"] if entry.checkpoints else []),
        *(["in use"] if entry.busy else []),
    ])  # fmt: skip
    bytes_in_words = size(entry.size_bytes)
    if manifest is None or info is None:
        return COLUMNS.format(place, "-", "-", bytes_in_words, "-", "-", beside)
    ages = (age(now - info.modified), age(now - entry.used))
    return COLUMNS.format(place, as_written(manifest.kind), manifest.job or "-", bytes_in_words, *ages, beside)


@contextmanager
def _opened(store: str, endpoint: str) -> Iterator["ObjectStore"]:
    from finetune_cli.artifact.location import folder_of, is_remote, opened  # noqa: PLC0415
    from finetune_runner.store.volume import VolumeStore  # noqa: PLC0415

    if is_remote(store):
        with opened(store, endpoint) as bucket:
            yield bucket
    else:
        folder = folder_of(store)
        yield VolumeStore(mount=folder, folder="", claim=folder.name, path="")
