"""Has an exported model answer; the main module of the fresh process that trial.py starts.

A process of its own shows that the model runs from its files alone, and one that aborts ends no pass.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime_genai

from finetune_api.export_options import CUDA
from finetune_runner.artifact.adapters import adapters_beside
from finetune_runner.artifact.prompts import Prompts, recorded
from finetune_runner.artifact.runtime import Runtime
from finetune_runner.artifact.stop_tokens import stop_tokens
from finetune_runner.data.file_tokenizer import TOKENIZER, FileTokenizer
from finetune_runner.data.tokenizers import open_tokenizer
from finetune_runner.passes.exporting.trial import RAN_ON, TRUSTING
from finetune_runner.process import leave

STEPS = 8


def main() -> None:
    """Tries the model in a directory, made for an execution provider: the first two arguments; TRUSTING may follow."""
    directory, provider, *trusting = sys.argv[1:]
    if provider == CUDA and not onnxruntime_genai.is_cuda_available():
        said = "onnxruntime-genai is installed here without CUDA"
    else:
        said = RAN_ON + tried(Path(directory), trust_remote_code=trusting == [TRUSTING])
    print(said)  # noqa: T201  it is read by the parent


def tried(directory: Path, *, trust_remote_code: bool) -> str:
    """The execution provider that a model ran on, for a few tokens after the prompt that it was trained with.

    With each of its adapters, if there are any.

    Raises:
        FineTuneError: ModelUnsupported, it can't be loaded.
        ValueError: what it predicts is no number.
    """
    tokenizer = _tokenizer(directory, trust_remote_code=trust_remote_code)
    adapters = adapters_beside(directory) or [""]
    return {_tried_with(adapter, directory, tokenizer) for adapter in adapters}.pop()


def _tried_with(adapter: str, directory: Path, tokenizer: Any) -> str:
    prompts = Prompts(recorded(directory, tokenizer, adapter), tokenizer)
    prompt = prompts.tokens({column: column for column in prompts.columns})
    runtime = Runtime(directory, stop_tokens(directory, tokenizer.eos_token_id), adapter)
    for step, logits in enumerate(runtime.logits(prompt, STEPS), start=1):
        if not np.isfinite(logits).all():
            over = f" with the adapter {adapter!r}" if adapter else ""
            msg = f"logits that are no finite numbers{over}, at new token {step} of {STEPS}"
            raise ValueError(msg)
    return runtime.provider


def _tokenizer(directory: Path, *, trust_remote_code: bool) -> Any:
    """Any that has the model's vocabulary will do; the one that is quick to load, where it can be had."""
    if (directory / TOKENIZER).is_file():
        return FileTokenizer(directory)
    return open_tokenizer(directory, trust_remote_code=trust_remote_code)


if __name__ == "__main__":
    main()
    leave(0)
