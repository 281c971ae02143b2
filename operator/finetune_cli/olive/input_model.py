"""input_model → spec.inputModel. Pure."""

from typing import Any

from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.hub_token import ask_with_token
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.places import inside, leads_out
from finetune_cli.olive.resources import Resource, Where, is_repository, resource
from finetune_cli.olive.section import Section, Sourced, joined

TYPES = frozenset({"hfmodel", "pytorchmodel"})
TASKS = frozenset({"text-generation", "text-generation-with-past"})
DECIDED = "the runner decides how a model is loaded"
ONLY_ONNX = "Olive exports by it; modelBuilder knows the shapes itself"
NO_ADAPTER = ("a chain starts from a model without an adapter", "merge it into the model first")
TESTING = ("it makes a test model", "name that model as inputModel.source")

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "adapter_path": NO_ADAPTER,
    "io_config": (ONLY_ONNX, LEAVE_OUT),
    "dummy_inputs_func": (ONLY_ONNX, LEAVE_OUT),
    "model_attributes": ("attributes are read from the model's config.json", LEAVE_OUT),
    "model_loader": ("code that loads a model is not run", "save the model with save_pretrained and name its folder"),
    "model_script": ("code that loads a model is not run", "save the model with save_pretrained and name its folder"),
    "script_dir": ("code that loads a model is not run", "save the model with save_pretrained and name its folder"),
    "generative": ("every input model is a generative one here", LEAVE_OUT),
    "test_model_path": TESTING,
    "test_model_config": TESTING,
}
LOADING_NOT_CARRIED: dict[str, tuple[str, str]] = {
    "torch_dtype": (DECIDED, "set training.dtype of the tuning pass"),
    "dtype": (DECIDED, "set training.dtype of the tuning pass"),
    "device_map": (DECIDED, LEAVE_OUT),
    "max_memory": (DECIDED, LEAVE_OUT),
    "quantization_method": (DECIDED, "use a qlora pass to train beside 4-bit weights"),
    "quantization_config": (DECIDED, "use a qlora pass to train beside 4-bit weights"),
    "attn_implementation": (DECIDED, "set training.attnImplementation of the tuning pass"),
    "low_cpu_mem_usage": (DECIDED, LEAVE_OUT),
    "use_cache": (DECIDED, LEAVE_OUT),
    "cache_dir": ("the store keeps what is fetched", LEAVE_OUT),
    "use_safetensors": ("safetensors are read", "set inputModel.allowPickle to read pytorch_model*.bin"),
}


def input_model(section: Section, context: Context) -> Draft:
    """The base model; without a place for it, an error is noted."""
    ledger = context.ledger
    section = section.flat("config")
    kind = section.text("type")
    if kind and kind.value.lower() not in TYPES:
        remedy = "name a transformers model: type HfModel"
        ledger.error(kind.steps, f"{kind.value} is no model that can be tuned", remedy)
    hub = section.part("hf_config")
    loading = _loading(section, hub)
    remote = loading.flag("trust_remote_code") or section.flag("trust_remote_code")
    source = _source(section, hub, loading, context)
    _task(joined(hub, section), context)
    _format(section, source, context)
    hub.refuse({"generation_config": ("the model's own generation config is kept", LEAVE_OUT)})
    hub.refuse(dict.fromkeys(("components", "feature", "dataset", "model_class"), (ONLY_ONNX, LEAVE_OUT)))
    section.refuse(NOT_CARRIED)
    loading.refuse(LOADING_NOT_CARRIED)
    return {"source": source, "trustRemoteCode": remote}


def _loading(section: Section, hub: Section) -> Section:
    """Under the names that it had in different versions."""
    names = ("model_loading_args", "from_pretrained_args", "load_kwargs")
    parts = [part.part(name).flat("extra_args") for part in (hub, section) for name in names if name in part]
    return joined(hub.part("load_kwargs"), *parts)


def _task(section: Section, context: Context) -> None:
    task = section.text("task")
    if task and task.value not in TASKS:
        message = f"{task.value!r} is no task of a causal language model"
        context.ledger.error(task.steps, message, "only text-generation can be tuned")


def _format(section: Section, source: Sourced | Draft | None, context: Context) -> None:
    """Of a folder the runner sees by itself whether MLflow has written it."""
    given = section.text("model_file_format")
    if given is None or given.value == "PyTorch.HuggingFace":
        return
    if given.value == "PyTorch.MLflow":
        if not isinstance(source, dict) or "huggingFace" not in source:
            return
        message = "the hub's repository is not in MLflow's layout"
        remedy = "leave it out; or download Azure ML's copy and name its folder"
        context.ledger.not_carried(given.steps, message, remedy)
    else:
        message = f"{given.value} holds no transformers model"
        context.ledger.not_carried(given.steps, message, "save the model with save_pretrained and name its folder")


def _source(section: Section, hub: Section, loading: Section, context: Context) -> Sourced | Draft | None:
    path, name = section.peek("model_path"), hub.text("model_name")
    ask_with_token(loading, context, "token", "use_auth_token")
    given = path or name
    if given is None:
        remedy = "name a model by model_path"
        context.ledger.error(section.steps, "no model is named", remedy)
        return None
    found = resource(given, context.ledger, context.files)
    if found is None:
        context.ledger.error(given.steps, "the model's place can't be told", "write model_path as text")
        return None
    if path and name:
        found = _both(found, name, context)
    return _placed(found, loading.text("revision"), context)


def _both(found: Resource, name: Sourced, context: Context) -> Resource:
    """The path decides; of Azure ML, the hub's repository of that name stands for it."""
    if found.where is Where.AZURE and is_repository(name.value) and "/" in name.value:
        return Resource(Where.AZURE, Sourced(name.value, found.path.steps))
    if name.value != found.path.value:
        message = "model_path says where weights, config and tokenizer are"
        context.ledger.not_carried(name.steps, message, "leave it out, or put all of them at model_path")
    return found


def _placed(found: Resource, revision: Sourced | None, context: Context) -> Sourced | Draft:
    place, ledger = found.path, context.ledger
    match found.where:
        case Where.HUB:
            return _hub(place, revision or Sourced(found.revision or None, place.steps), context)
        case Where.BUCKET:
            return _bucket(place, context)
        case Where.AZURE if is_repository(place.value) and "/" in place.value:
            message = f"Azure ML's model is taken from the hub's repository {place.value}"
            ledger.note(place.steps, message, "for Azure ML's own copy, download it and name its folder")
            return _hub(place, revision, context)
        case Where.AZURE:
            message = "Azure ML's models can't be read here"
            remedy = f"download it (az ml model download) and put it where {_named(context, place.value)} says"
            ledger.not_carried(place.steps, message, remedy)
            return {"volume": {"claimName": "olive-files", "path": inside(place.value)}}
        case Where.ELSEWHERE:
            ledger.error(place.steps, "no source reads such a URL", "download the model and name its folder")
            return {}
        case _:
            return _local(place, context)


def _named(context: Context, path: str) -> str:
    return f"path {inside(path)} of claim olive-files" if context.places.bucket is None else "spec.inputModel.source"


def _hub(repo: Sourced, revision: Sourced | None, context: Context) -> Draft:
    pinned = revision if revision and revision.value else None
    return {"huggingFace": {"repo": repo, "revision": pinned, "tokenSecretRef": context.token_reference()}}


def _bucket(uri: Sourced, context: Context) -> Draft:
    context.ledger.note(uri.steps, "the pods read the bucket as their own identity", "or set credentialsSecretRef")
    return {"s3": {"uri": uri}}


def _local(path: Sourced, context: Context) -> Sourced | Draft:
    if context.files.kind(path.value) == "file":
        message = "a single file is no model directory"
        context.ledger.not_carried(path.steps, message, "name the folder with config.json, tokenizer and safetensors")
        return {"volume": {"claimName": "olive-files", "path": inside(path.value)}}
    source: dict[str, Any] = context.places.single(path.value)
    tell_place(path, source, context)
    return Sourced(source, path.steps)


def tell_place(path: Sourced, source: dict[str, Any], context: Context) -> None:
    """Says where a file of this machine is expected."""
    if "s3" in source:
        context.ledger.note(path.steps, f"uploaded to {source['s3']['uri']}")
        return
    volume = source["volume"]
    folder = "FOLDER" if leads_out(path.value) else "."
    remedy = f"--upload puts it into a bucket; finetune run --mount {volume['claimName']}={folder} finds it here"
    message = f"expected at {volume['path']} in a claim named {volume['claimName']} that you fill"
    context.ledger.note(path.steps, message, remedy)
