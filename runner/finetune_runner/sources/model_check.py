"""Whether a transformers directory can be worked with, told from its names and small files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import InputModel
from finetune_runner.sources.model_format import CONFIG, TOKENIZERS, has_pickles, has_safetensors, has_tokenizer

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
ADAPTER_CONFIG = "adapter_config.json"
OTHER_TASKS = (
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMultipleChoice",
    "ForNextSentencePrediction",
    "ForMaskedLM",
    "ForImageClassification",
    "ForObjectDetection",
    "ForCTC",
)
"""How transformers ends the names of models that do something else:
https://huggingface.co/docs/transformers/model_doc/auto
"""
CAUSAL = "Use a causal language model: one whose architecture ends in ForCausalLM."
PREPARE_READS = (CONFIG, *INDEXES)


class ModelCheck:
    """The checks of one directory.

    Args:
        model: what the spec says of it.
        names: all files there, also those that are not wanted.
        folder: where those of PREPARE_READS lie that it has.
        uri: where it lies, for errors.
        path: place of the source in the spec.
    """

    def __init__(self, model: InputModel, names: set[str], folder: Path, uri: str, path: str) -> None:
        self.model = model
        self.names = names
        self.folder = folder
        self.uri = uri
        self.path = path

    def check(self) -> None:
        """That there is a model we can work with.

        Raises:
            FineTuneError: ModelNotFound (no config.json) or ModelUnsupported.
        """
        if CONFIG not in self.names and ADAPTER_CONFIG in self.names:
            remedy = "Merge it into its base (peft's merge_and_unload), or point to the base."
            raise self._unsupported("is an adapter, not a model", remedy)
        if CONFIG not in self.names:
            raise FineTuneError(
                Reason.MODEL_NOT_FOUND,
                f"{self.uri} has no {CONFIG}",
                remedy="Point to a model: a directory with config.json, tokenizer files and safetensors, "
                "one that MLflow has written, or a .gguf file.",
                path=self.path,
            )
        self._check_config(self._json(CONFIG))
        self._check_weights()
        if not has_tokenizer(self.names):
            raise self._unsupported("has no tokenizer", f"Add one of {', '.join(TOKENIZERS)}.")

    def _check_config(self, config: Mapping[str, Any]) -> None:
        if not config.get("model_type") and not config.get("architectures"):
            raise self._unsupported(
                f"has a {CONFIG} that names neither model_type nor architectures",
                "Point to a model in transformers' format.",
            )
        self._check_kind(config)
        if config.get("auto_map") and not self.model.trust_remote_code:
            raise FineTuneError(
                Reason.MODEL_UNSUPPORTED,
                f"{self.uri} brings Python code of its own (auto_map in {CONFIG})",
                remedy="Set inputModel.trustRemoteCode if you trust that code, or use a model that transformers knows.",
                path="spec.inputModel.trustRemoteCode",
            )

    def _check_kind(self, config: Mapping[str, Any]) -> None:
        """That it generates text: transformers would give a classifier a new, untrained head."""
        listed = config.get("architectures")
        named = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
        other = named[0] if named and all(name.endswith(OTHER_TASKS) for name in named) else ""
        if other:
            raise self._unsupported(f"is a {other}, which does not generate text", CAUSAL)
        if config.get("is_encoder_decoder") is True:
            raise self._unsupported(f"is a {named[0] if named else 'model'}, an encoder with a decoder", CAUSAL)

    def _check_weights(self) -> None:
        if has_safetensors(self.names):
            self._check_whole(0)
        elif not has_pickles(self.names):
            raise self._unsupported("has no weights", "Put model.safetensors, or shards with their index, there.")
        elif self.model.allow_pickle:
            self._check_whole(1)
        else:
            raise FineTuneError(
                Reason.MODEL_UNSUPPORTED,
                f"{self.uri} has pickled weights only (*.bin), and reading those can run code of whoever made them",
                remedy="Convert them to safetensors (save_pretrained), or set allowPickle: true if you trust them.",
                path="spec.inputModel.allowPickle",
            )

    def _check_whole(self, kind: int) -> None:
        """That no shard is missing. kind: 0 for safetensors, 1 for pickled weights."""
        whole, index = WHOLE[kind], INDEXES[kind]
        if index not in self.names:
            if whole not in self.names:
                raise self._unsupported(f"has neither {whole} nor {index}", "Upload all of the model.")
            return
        shards = self._json(index).get("weight_map")
        if not isinstance(shards, Mapping) or not all(isinstance(name, str) for name in shards.values()):
            raise self._unsupported(f"has a {index} without a weight_map of names", "Upload it again.")
        if missing := sorted(set(shards.values()) - self.names):
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise self._unsupported(f"lacks {missing[0]}{more}, which {index} names", "Upload all of the model.")

    def _json(self, name: str) -> Mapping[str, Any]:
        try:
            document = json.loads((self.folder / name).read_bytes())
        except (ValueError, RecursionError) as error:
            raise self._unsupported(f"has a {name} that is not JSON: {error}", "Upload it again.") from error
        if not isinstance(document, dict):
            raise self._unsupported(f"has a {name} that is not a JSON object", "Upload it again.")
        return document

    def _unsupported(self, what: str, remedy: str) -> FineTuneError:
        return FineTuneError(Reason.MODEL_UNSUPPORTED, f"{self.uri} {what}", remedy=remedy, path=self.path)
