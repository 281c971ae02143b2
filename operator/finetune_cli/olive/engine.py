"""engine → spec.engine, spec.store and spec.output. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced, joined
from finetune_cli.olive.systems import System, Systems, execution_provider

LEVELS = {0: "debug", 1: "info", 2: "warning", 3: "error", 4: "error"}
CRITICAL = 4
RUNTIME_LOG = ("onnxruntime's own log is not kept apart", "use log_severity_level")
CACHE = ("what decides an output decides its cache key", LEAVE_OUT)
SHARED = ("jobs of a namespace share one store", LEAVE_OUT)
PACKED = ("an artifact is published as a directory", "set spec.output; pack it yourself where you need an archive")
SEARCH = ("values are not searched for", "write a job for each value; what they have in common is made once")

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "ort_log_severity_level": RUNTIME_LOG,
    "ort_py_log_severity_level": RUNTIME_LOG,
    "log_to_file": ("pods log to their output", "kubectl logs, or finetune run, which keeps it in a file"),
    "clean_evaluation_cache": CACHE,
    "enable_shared_cache": SHARED,
    "packaging_config": PACKED,
    "plot_pareto_frontier": ("figures are in status and report", LEAVE_OUT),
    "no_artifacts": ("an artifact is published where spec.output is set", LEAVE_OUT),
    "ort_py_log_level": RUNTIME_LOG,
    "output_name": ("an artifact has the job's name", "set spec.output"),
    "search": SEARCH,
    "auto_optimizer_config": ("passes are not chosen for you", "write them under passes"),
    "workflow_host": ("the operator runs the workflow", LEAVE_OUT),
    "azureml_client": ("nothing runs in Azure ML", LEAVE_OUT),
    "data_root": ("paths are relative to the config's folder", "write it into data_files"),
}
CACHE_CONFIG: dict[str, tuple[str, str]] = {
    "clean_evaluation_cache": CACHE,
    **dict.fromkeys(("account_name", "container_name", "enable_shared_cache", "update_shared_cache"), SHARED),
}


@dataclass(frozen=True)
class Place:
    """A folder that an Olive config may name."""

    key: str
    instead: str
    """What is said of one that is named."""
    without: str
    """What is said where none is."""
    remedy: str


STORE = Place(
    "cache_dir",
    "passes are kept in spec.store",
    "no store is named: the operator must have a default one",
    "give --store s3://bucket/prefix",
)
OUTPUT = Place(
    "output_dir",
    "the artifact is published at spec.output",
    "no output is named: the artifact stays in the store",
    "give --output s3://bucket/prefix",
)


@dataclass(frozen=True)
class Engine:
    """What the config's engine says."""

    section: Section
    """Its keys, which may stand at the root too."""
    host: System | None
    provider: Sourced | None

    def draft(self, systems: Systems) -> Draft:
        """spec.engine. Without a host, passes run on the only system, or as in Olive on a local one."""
        context = systems.context
        host = self.host or (_local(systems) if len(systems.found) != 1 else None)
        return {
            "host": host.name if host else None,
            "target": {"executionProvider": self.provider} if self.provider else None,
            "cache": _cache(self.section),
            "logLevel": _log_level(self.section, context),
        }


def _local(systems: Systems) -> System:
    """The machine itself, of which nothing says that it has an accelerator."""
    known = ", ".join(systems.found)
    local = systems.local()
    message = f"no host is named: passes run as system {local.name!r}, which has no accelerator"
    remedy = f"name one of {known}" if known else "name a system with accelerators"
    systems.context.ledger.note(("host",), message, remedy)
    return local


def engine(root: Section, systems: Systems) -> Engine:
    """Reads host and target; the rest of the keys are for draft and places."""
    section = joined(root.part("engine").flat("config"), root)
    host, target = systems.reference(section, "host"), systems.reference(section, "target")
    listed = execution_provider(section, systems.context)
    provider = (target.provider if target else None) or listed or (host.provider if host else None)
    if listed and provider and listed.value != provider.value:
        systems.context.ledger.not_carried(listed.steps, f"the target's {provider.value} decides", "leave it out")
    return Engine(section, host, provider)


def search(section: Section, context: Context) -> None:
    """Off is what we do."""
    given = section.peek("search_strategy")
    if given is None or given.value is False:
        section.take("search_strategy")
    else:
        context.ledger.not_carried(given.steps, *SEARCH)
    section.refuse(NOT_CARRIED)


def places(section: Section, store: Mapping[str, Any] | None, output: Mapping[str, Any] | None) -> Draft:
    """spec.store and spec.output, which take the place of folders of this machine."""
    cache = section.part("cache_config") if isinstance((section.peek("cache_config") or _NONE).value, dict) else None
    folders = joined(section, cache) if cache else section
    if cache:
        cache.refuse(CACHE_CONFIG)
    _folder(folders, STORE, store)
    _folder(folders, OUTPUT, output)
    return {"store": store, "output": output}


_NONE = Sourced(None, ())


def _folder(section: Section, place: Place, given: Mapping[str, Any] | None) -> None:
    found = section.take(place.key)
    if found and given:
        section.ledger.note(found.steps, place.instead)
    elif found:
        section.ledger.not_carried(found.steps, f"{place.instead}, not in a folder of this machine", place.remedy)
    elif not given:
        section.ledger.note((), place.without, place.remedy)


def _cache(section: Section) -> Sourced | None:
    """Olive empties its cache before a run; a shared store is not emptied, but not looked into either."""
    inner = section.peek("cache_config")
    parts = [section, section.part("cache_config")] if inner and isinstance(inner.value, dict) else [section]
    given = next((found for part in parts if (found := part.flag("clean_cache")) and found.value), None)
    if given:
        section.ledger.note(given.steps, "engine.cache: false: every pass is made anew")
    return Sourced(False, given.steps) if given else None


def _log_level(section: Section, context: Context) -> Sourced | None:
    given = section.number("log_severity_level")
    if given is None:
        return None
    if isinstance(given.value, bool) or not isinstance(given.value, int) or given.value not in LEVELS:
        context.ledger.not_carried(given.steps, "no such level", "use 0 (debug) to 4 (critical)")
        return None
    if given.value == CRITICAL:
        context.ledger.note(given.steps, "error, the highest level there is")
    return Sourced(LEVELS[given.value], given.steps)
