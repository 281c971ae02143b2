"""systems → spec.systems: what a pod asks for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from finetune_api.export_options import CPU, CUDA
from finetune_api.resource.exports import ExecutionProvider
from finetune_cli.olive import conda
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.hub_token import ask_with_token
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced, items

PROVIDERS: tuple[str, ...] = get_args(ExecutionProvider)
PROVIDER_OF_DEVICE = {"gpu": CUDA, "cpu": CPU}
SAME_ARTIFACT = {"JsExecutionProvider": "WebGpuExecutionProvider"}
IMAGE = ("passes run in the runner's image", "set image of the system, to one built on it, if you need more in it")
PLACEMENT = ("Kubernetes chooses the node", "set nodeSelector and tolerations of the system")
FOLDER = ("a pod has no environment of this machine", "build an image on the runner's, and set image of the system")

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "aml_compute": PLACEMENT,
    "instance_count": ("a stage is one pod", LEAVE_OUT),
    "resources": ("Azure ML's resources are not Kubernetes'", "set resources of the system"),
    "tags": ("a pod has no tags", "set labels of the job"),
    "aml_environment_config": IMAGE,
    "azureml_client_config": ("nothing runs in Azure ML", LEAVE_OUT),
    "is_dev": IMAGE,
    "olive_managed_env": IMAGE,
    "python_environment_path": FOLDER,
    "prepend_to_path": FOLDER,
    "requirements_file": IMAGE,
    "image_name": IMAGE,
    "dockerfile": IMAGE,
    "build_context_path": IMAGE,
    "build_args": IMAGE,
    "requirements_file_path": IMAGE,
    "local_docker_config": IMAGE,
    "work_dir": ("the runner's image has its own folders", LEAVE_OUT),
    "run_params": ("Kubernetes runs the image", "set resources, env and volumes of the system"),
    "clean_image": ("Kubernetes keeps images", LEAVE_OUT),
}


@dataclass(frozen=True)
class System:
    """A system as it is here, and what else its config said."""

    draft: Draft
    provider: Sourced | None = None
    """The execution provider it has."""

    @property
    def name(self) -> str:
        return str(self.draft["name"])


@dataclass
class Systems:
    """All of them, those written in place included."""

    context: Context
    found: dict[str, System] = field(default_factory=dict)
    """By Olive's name."""

    def read(self, section: Section) -> None:
        """The config's systems."""
        for raw in section:
            inner = section.part(raw)
            self._add(Sourced(raw, inner.steps), inner)

    def reference(self, section: Section, *names: str) -> System | None:
        """A system named, or written in place."""
        given = section.peek(*names)
        if given is None:
            return None
        if isinstance(given.value, dict):
            return self._add(Sourced(names[0], given.steps), Section.of(self.context.ledger, given))
        section.take(*names)
        if isinstance(given.value, str) and given.value in self.found:
            return self.found[given.value]
        known = f"known: {', '.join(self.found)}" if self.found else "there is none"
        self.context.ledger.not_carried(given.steps, f"no system is named {given.value!r}", known)
        return None

    def local(self) -> System:
        """The machine itself, where Olive runs what names no system."""
        if "" not in self.found:
            name = self.context.system_names.unused("local")
            self.found[""] = System({"name": name})
        return self.found[""]

    def _add(self, raw: Sourced, section: Section) -> System:
        name = self.context.system_names.give(raw)
        if not list(section):
            self.context.ledger.read(section.steps)
        system = _system(name, section.flat("config"), self.context)
        self.found[str(raw.value) if raw.value not in self.found else name] = system
        return system


BY_MEMORY = ("devices are not chosen by memory", "set accelerator.memory and nodeSelector of the system")


def _system(name: str, section: Section, context: Context) -> System:
    kind = section.text("type")
    accelerator, provider = _accelerator(section, context)
    if kind and kind.value.lower() == "azureml":
        asked = "one nvidia.com/gpu" if accelerator else "no accelerator"
        context.ledger.note(kind.steps, f"becomes a kind of pod that asks for {asked}", "set count for more")
    ask_with_token(section, context, "hf_token")
    _docker(section.part("aml_docker_config"), context)
    environment = _environment(section.part("environment_variables"))
    section.refuse(NOT_CARRIED)
    return System({"name": name, "accelerator": accelerator, "env": environment or None}, provider)


def _accelerator(section: Section, context: Context) -> tuple[Mapping[str, Any] | None, Sourced | None]:
    """What the pod asks for, and the execution provider; the first of several counts."""
    listed = items(context.ledger, section.peek("accelerators"))
    first = listed[0] if listed else None
    for other in listed[1:]:
        context.ledger.not_carried(other.steps, "a system has one kind of accelerator", "write a system for each")
    if first is None:
        return None, None
    if isinstance(first.value, dict):
        inner = Section.of(context.ledger, first)
        inner.refuse({"memory": BY_MEMORY})
        device, provider = inner.text("device"), execution_provider(inner, context)
    else:
        context.ledger.read(first.steps)
        device, provider = first, None
    name = str(device.value).lower() if device else _device_of(provider)
    if device and name not in ("gpu", "cpu"):
        remedy = "set accelerator.resourceName of the system to what the device plugin calls it"
        context.ledger.not_carried(device.steps, f"no resource is known for device {name!r}", remedy)
    if device and provider is None and name in PROVIDER_OF_DEVICE:
        provider = Sourced(PROVIDER_OF_DEVICE[name], device.steps)
    return (_gpu() if name == "gpu" else None), provider


def _gpu() -> Mapping[str, Any]:
    return {"resourceName": "nvidia.com/gpu", "count": 1}


def _device_of(provider: Sourced | None) -> str:
    return "gpu" if provider and provider.value in (CUDA, "NvTensorRTRTXExecutionProvider") else "cpu"


def execution_provider(section: Section, context: Context) -> Sourced | None:
    """The first that an artifact can be made for; the others are reported."""
    given = section.peek("execution_providers")
    listed = items(context.ledger, given) if given and isinstance(given.value, list) else [given] if given else []
    chosen: Sourced | None = None
    for item in listed:
        name = item.value[0] if isinstance(item.value, list) and item.value else item.value
        name = SAME_ARTIFACT.get(name, name) if isinstance(name, str) else name
        if chosen is None and name in PROVIDERS:
            context.ledger.read(item.steps)
            chosen = Sourced(name, item.steps)
        elif name in PROVIDERS:
            remedy = "add a modelBuilder pass with executionProvider for it"
            context.ledger.not_carried(item.steps, "an artifact is made for one execution provider", remedy)
        else:
            remedy = f"use one of {', '.join(PROVIDERS)}"
            context.ledger.not_carried(item.steps, f"nothing is made for {str(name)[:80]}", remedy)
    return chosen


def _environment(section: Section) -> list[Draft]:
    found = [(name, section.take(name)) for name in section]
    return [{"name": Sourced(name, item.steps), "value": _as_text(item)} for name, item in found if item]


def _as_text(item: Sourced) -> Sourced:
    return item if isinstance(item.value, (str, dict, list)) else Sourced(str(item.value), item.steps)


def _docker(section: Section, context: Context) -> None:
    section.refuse(dict.fromkeys(("base_image", "dockerfile", "build_context_path"), IMAGE))
    file = section.text("conda_file_path")
    if file is None:
        return
    context.ledger.not_carried(file.steps, *IMAGE)
    for message in conda.remarks(context.files.text(file.value) or ""):
        context.ledger.note(file.steps, message)
