"""What an artifact's provenance says, for people."""

import json
from pathlib import Path

import click

from finetune_runner.provenance.checking import Checked


def tell_origin(checked: Checked) -> None:
    """Which job made it, and whose word that is."""
    if checked.found is None:
        click.echo("provenance: none")
        return
    predicate = checked.found.statement.predicate
    job = predicate.build_definition.external_parameters.job.metadata
    uid = predicate.run_details.metadata.invocation_id
    click.echo(f"provenance: job {job.namespace}/{job.name}, UID {uid}; {_signature(checked)}")


def write_job_to(file: Path, checked: Checked) -> None:
    """Writes the job that makes the artifact again, as a manifest (JSON is YAML).

    Raises:
        ClickException: there is no provenance.
    """
    if checked.found is None:
        msg = "the artifact has no provenance, so the job that made it is not known"
        raise click.ClickException(msg)
    job = checked.found.statement.predicate.build_definition.external_parameters.job
    file.write_text(json.dumps(job.model_dump(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _signature(checked: Checked) -> str:
    if checked.is_signed:
        return "signed by this key"
    if checked.found and checked.found.envelope and checked.found.envelope.signatures:
        return "signed; --public-key checks by whom"
    return "not signed"
