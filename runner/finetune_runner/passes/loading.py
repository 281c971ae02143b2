"""Models and tokenizers from a directory, with errors that say what to do."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import SOURCE_PATH
from finetune_runner.ending.exceptions import resource_failure


def load_model(
    directory: Path,
    *,
    dtype: torch.dtype | str,
    device: str,
    trust_remote_code: bool,
    quantization: Any = None,
    attention: str | None = None,
) -> Any:
    """A causal language model.

    Args:
        directory: a transformers directory with safetensors.
        dtype: torch type of the weights, or "auto" for the type they are stored in.
        device: cpu or cuda.
        trust_remote_code: run Python code that lies in the directory.
        quantization: a BitsAndBytesConfig to quantise the linear layers by, or None.
        attention: transformers' name of an implementation, or None for its choice.

    Raises:
        FineTuneError: ModelUnsupported or ArtifactCorrupt.
    """
    logging.disable_progress_bar()
    with _loading_errors():
        model = AutoModelForCausalLM.from_pretrained(
            directory,
            dtype=dtype,
            device_map={"": device},
            quantization_config=quantization,
            attn_implementation=attention,
            trust_remote_code=trust_remote_code,
            use_safetensors=True,
            local_files_only=True,
        )
    if quantization is not None:
        # imported here: bitsandbytes takes a second that a pass without it is spared
        from finetune_runner.passes.four_bit import compute_alike_everywhere  # noqa: PLC0415

        compute_alike_everywhere(model)
    return model


def load_skeleton(directory: Path) -> Any:
    """A causal language model without weights, on torch's meta device, of a class that transformers brings.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    with _loading_errors(), torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(directory, local_files_only=True))


def load_tokenizer(directory: Path, *, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    """The directory's tokenizer.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    with _loading_errors():
        return AutoTokenizer.from_pretrained(directory, trust_remote_code=trust_remote_code, local_files_only=True)


@contextlib.contextmanager
def _loading_errors() -> Iterator[None]:
    try:
        yield
    except SafetensorError as error:
        message = f"the model's weights cannot be read: {error}"
        raise FineTuneError(
            Reason.ARTIFACT_CORRUPT, message, remedy="Upload the model again.", path=SOURCE_PATH
        ) from error
    except (ValueError, OSError, ImportError, KeyError) as error:
        raise resource_failure(error) or FineTuneError(
            Reason.MODEL_UNSUPPORTED, _first_line(error), remedy=_remedy(error), path=SOURCE_PATH
        ) from error


def _first_line(error: Exception) -> str:
    return f"the model cannot be loaded: {str(error).strip().splitlines()[0] if str(error).strip() else repr(error)}"


def _remedy(error: Exception) -> str:
    if "trust_remote_code" in str(error):
        return "The model brings its own Python code: set spec.inputModel.trustRemoteCode if you trust its source."
    return "Use a causal language model that transformers knows, as config.json, tokenizer files and safetensors."
