"""An Olive config becomes a FineTuneJob. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_api.export_options import CPU
from finetune_cli.olive.context import Context
from finetune_cli.olive.data import data_configs
from finetune_cli.olive.draft import Draft, resolve
from finetune_cli.olive.engine import engine, places, search
from finetune_cli.olive.evaluators import Evaluators
from finetune_cli.olive.input_model import input_model
from finetune_cli.olive.names import label
from finetune_cli.olive.notes import Kind, Note
from finetune_cli.olive.parts import settle_parts
from finetune_cli.olive.passes import Shared, passes
from finetune_cli.olive.places import Bucket, Files, Places, Upload
from finetune_cli.olive.repair import repaired
from finetune_cli.olive.section import Ledger, Section, Sourced
from finetune_cli.olive.systems import Systems
from finetune_cli.olive.trackers import settle_trackers

DEFAULT_WORKFLOW = "default_workflow"


@dataclass(frozen=True)
class Options:
    """What an import is told besides the config."""

    name: str = ""
    """The job's; empty: the workflow's, else `instead`."""
    instead: str = "olive"
    bucket: Bucket | None = None
    """Where files of this machine go; None: into a claim that the user fills."""
    store: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Imported:
    """What came of a config."""

    manifest: dict[str, Any] | None
    """None where there is an error."""
    notes: list[Note]
    uploads: list[Upload]

    @property
    def lossless(self) -> bool:
        return not any(note.kind is Kind.NOT_CARRIED for note in self.notes)


def convert(document: Any, files: Files, options: Options) -> Imported:
    """Translates a config.

    Args:
        document: the config, as JSON values.
        files: what lies beside it.
        options: of the import.
    """
    ledger = Ledger()
    context = Context(ledger, files, Places(options.bucket))
    if refused := _not_a_config(document):
        ledger.error((), *refused)
        return Imported(None, ledger.notes, [])
    root = Section.of(ledger, Sourced(document, ()))
    name = _name(root, options)
    found = repaired(resolve(_spec(root, context, options)), ledger)
    ledger.report_left_over(document)
    failed = found is None or any(note.kind is Kind.ERROR for note in ledger.notes)
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}}
    return Imported(
        None if failed or not found else {**manifest, "spec": found.spec}, ledger.notes, context.places.uploads
    )


def _not_a_config(document: Any) -> tuple[str, str] | None:
    """What it is instead, and what to do."""
    if not isinstance(document, dict) or not {"input_model", "passes", "kind"} & document.keys():
        return "not an Olive config", "expected an object with input_model and passes"
    return ("is a FineTuneJob already", "finetune validate checks it") if document.get("kind") == KIND else None


def _name(root: Section, options: Options) -> str:
    given = root.text("workflow_id")
    workflow = given.value if given and given.value != DEFAULT_WORKFLOW else ""
    name = options.name or label(workflow or options.instead, instead="olive")
    if given and workflow and name != workflow:
        root.ledger.note(given.steps, f"the job is called {name!r}")
    return name


def _spec(root: Section, context: Context, options: Options) -> Draft:
    """Systems first: they say whether the hub is asked with a token."""
    systems = Systems(context)
    systems.read(root.part("systems"))
    machine = engine(root, systems)
    model = input_model(root.part("input_model"), context)
    data = data_configs(root, context)
    evaluators = Evaluators(context, data)
    evaluators.read(root.part("evaluators"))
    measured = machine.section.flag("evaluate_input_model")
    shared = Shared(
        context=context,
        systems=systems,
        evaluators=evaluators,
        data=data,
        evaluator=evaluators.reference(machine.section, "evaluator"),
        measures_base=measured is None or bool(measured.value),
        provider=str(machine.provider.value) if machine.provider else CPU,
    )
    chain = passes(root, shared)
    search(machine.section, context)
    settings = machine.draft(systems)
    spec: Draft = {
        "inputModel": model,
        "dataConfigs": data or None,
        "systems": [system.draft for system in systems.found.values()],
        "passes": chain,
        "evaluators": evaluators.drafts or None,
        "engine": {name: value for name, value in settings.items() if value is not None} or None,
        **places(machine.section, options.store, options.output),
    }
    settle_parts(spec, context)
    settle_trackers(spec, context)
    return spec
