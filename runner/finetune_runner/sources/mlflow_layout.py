"""Where the parts of a model lie in a directory that MLflow has written. Pure.

`transformers` is MLflow's own flavour (mlflow/transformers/model_io.py); `hftransformersv2` and `hftransformers` are
what Azure's model registry has.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from finetune_runner.sources.source import unsupported

MLFLOW = "transformers"
AZURE = ("hftransformersv2", "hftransformers")
AZURE_FOLDERS = ("data/model", "data/config", "data/tokenizer")
TOKENIZER_FOLDER = "components/tokenizer"


def folders(mlmodel: bytes, uri: str, path: str) -> tuple[str, ...]:
    """The folders that make up a transformers directory; a later one's files take the place of an earlier one's.

    Args:
        mlmodel: content of the file MLmodel.
        uri: where the model lies, for errors.
        path: place of the source in the spec.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    flavors = _flavors(mlmodel, uri, path)
    if isinstance(flavors.get(MLFLOW), Mapping):
        return (_model_folder(flavors[MLFLOW], uri, path), TOKENIZER_FOLDER)
    if any(name in flavors for name in AZURE):
        return AZURE_FOLDERS
    message = f"{uri} was not written by MLflow's transformers flavour, but by {', '.join(map(str, flavors)) or 'none'}"
    raise unsupported(message, "Log the model with mlflow.transformers.log_model.", path)


def _flavors(mlmodel: bytes, uri: str, path: str) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(mlmodel)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise unsupported(f"MLmodel of {uri} is not YAML", "Log the model again.", path) from error
    flavors = document.get("flavors") if isinstance(document, Mapping) else None
    if not isinstance(flavors, Mapping):
        raise unsupported(f"MLmodel of {uri} names no flavors", "Log the model again.", path)
    return flavors


def _model_folder(flavor: Mapping[str, Any], uri: str, path: str) -> str:
    if flavor.get("peft_adaptor"):
        message = f"{uri} is an adapter of {flavor.get('source_model_name') or 'another model'}"
        raise unsupported(message, "Merge it (peft's merge_and_unload) and log the whole model.", path)
    binary = flavor.get("model_binary")
    if not binary:
        name, revision = flavor.get("source_model_name", ""), flavor.get("source_model_revision", "")
        remedy = (
            f"Use source.huggingFace: {{repo: {name}, revision: {revision}}}, "
            "or put them there by mlflow.transformers.persist_pretrained_model."
        )
        raise unsupported(f"{uri} holds no weights, it only names {name}", remedy, path)
    return str(binary).strip("/")
