"""finetune run."""

import base64
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_api.failures import SIGTERM_EXIT
from finetune_api.gates import judged, requirement
from finetune_api.messages import JobDocument, figure_line
from finetune_cli import manifest
from finetune_cli.options import mapped_options

if TYPE_CHECKING:
    from finetune_cli.local.chain import Result


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--name", default="", help="Which job, where the file holds several.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".finetune"),
    show_default=True,
    help="Holds store, output, logs and scratch space.",
)
@mapped_options
@click.option("--as-written", is_flag=True, help="Use spec.store and spec.output instead of the folder.")
@click.option("--no-accelerator", is_flag=True, help="Compute every pass on the CPU.")
def command(
    *,
    file: Any,
    name: str,
    folder: Path,
    mounts: tuple[tuple[str, Path], ...],
    secrets: tuple[tuple[str, Path], ...],
    config_maps: tuple[tuple[str, Path], ...],
    as_written: bool,
    no_accelerator: bool,
) -> int:
    """Run a job on this machine, without a cluster: the same chain, committed passes reused.

    What a pass makes is kept in FOLDER/store, the artifact is published at FOLDER/output/NAME. Secrets without a
    folder are taken from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, HF_TOKEN. Images, placement and
    volumes of systems have no meaning here.
    """
    from finetune_cli.local.local_spec import CLAIM, local_spec  # noqa: PLC0415
    from finetune_cli.local.on_cpu import on_cpu  # noqa: PLC0415
    from finetune_cli.local.pod_root import Mapped, unread  # noqa: PLC0415
    from finetune_cli.local.references import references  # noqa: PLC0415
    from finetune_runner.ending.interruption import Interrupted, raise_on_sigterm  # noqa: PLC0415

    job = manifest.read_one(file, file.name, name)
    assert job.spec is not None  # noqa: S101  it is valid
    _tell_what_is_left_out(job)
    spec = local_spec(job.spec, job.name, as_written=as_written)
    if no_accelerator:
        spec, notes = on_cpu(spec)
        for note in notes:
            click.echo(f"note: {note}", err=True)
    folder.mkdir(parents=True, exist_ok=True)
    given = Mapped(dict(mounts), dict(secrets), dict(config_maps))
    for note in unread(references(job.spec), given):
        click.echo(f"note: {note}", err=True)
    mapped = replace(given, claims={**given.claims, CLAIM: folder.resolve()})
    raise_on_sigterm()
    try:
        return _run(job, spec, folder.resolve(), mapped)
    except Interrupted:
        _tell_how_to_go_on()
        return SIGTERM_EXIT
    except KeyboardInterrupt:
        _tell_how_to_go_on()
        raise


def _tell_how_to_go_on() -> None:
    click.echo("stopped; the same command goes on from what is committed, and from the last checkpoint", err=True)


def _tell_what_is_left_out(job: manifest.Manifest) -> None:
    for index, system in enumerate(job.spec.systems if job.spec else []):
        for number, volume in enumerate(system.volumes):
            place = f"spec.systems[{index}].volumes[{number}]"
            click.echo(f"note: {place}: nothing is mounted at {volume.mount_path} on this machine", err=True)


def _run(job: manifest.Manifest, spec: Any, folder: Path, mapped: Any) -> int:
    from finetune_cli.local.chain import new_uid, run_chain  # noqa: PLC0415
    from finetune_cli.local.display import Bars, Lines  # noqa: PLC0415

    document = JobDocument(namespace=job.namespace, name=job.name, uid=new_uid(), spec=spec)
    with Bars() if sys.stderr.isatty() else Lines() as watcher:
        result = run_chain(document, folder, mapped, watcher)
    _tell(document, result, mapped.claims)
    return 0


def _tell(document: JobDocument, result: "Result", claims: Mapping[str, Path]) -> None:
    from finetune_cli.local.pod_root import actual_path  # noqa: PLC0415

    committed = {outcome.index for outcome in result.message.passes if outcome.digest}
    for index, step in enumerate(document.spec.passes):
        figures = "  ".join(figure_line(h) for h in result.message.headlines if h.index == index)
        state = "reused" if index in result.reused else "made" if index in committed else "skipped"
        click.echo(f"{step.name:<20} {step.variant_alias:<20} {state:<7} {figures}".rstrip())
    for gate, outcome in zip(document.spec.gates, result.message.gates, strict=True):
        came_to = f"{outcome.value} ({requirement(gate)}) {judged(outcome.passed)}"
        click.echo(f"gate      {gate.metric} after {gate.after}: {came_to}")
    if artifact := result.message.published:
        digest = base64.urlsafe_b64decode(artifact.digest + "=").hex()
        click.echo(f"artifact  {actual_path(artifact.uri, claims)}")
        click.echo(f"          {artifact.format}, {artifact.size_bytes} bytes, sha256:{digest}")
        if artifact.verified_on:
            click.echo(f"          runs on {artifact.verified_on}")
    click.echo(f"report    {actual_path(result.report, claims)}")
