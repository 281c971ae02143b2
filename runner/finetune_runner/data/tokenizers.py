"""The tokenizer of a preview: the one that training has, without torch."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data.file_tokenizer import FileTokenizer

TORCH = "torch"


def open_tokenizer(directory: Path, *, trust_remote_code: bool) -> Any:
    """The tokenizer of transformers, as training has it; where transformers is not installed, what tokenizer.json says.

    The two differ for some models: for several tokenizer classes transformers makes a tokenizer of its own from the
    vocabulary in tokenizer.json (TokenizersBackend.convert_to_native_format).

    Args:
        directory: with the tokenizer's files, and the model's config.json.
        trust_remote_code: run Python code that lies in the directory.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    if not is_exact():
        return FileTokenizer(directory)
    with _without_torch():
        from transformers import AutoTokenizer  # noqa: PLC0415

        try:
            return AutoTokenizer.from_pretrained(directory, trust_remote_code=trust_remote_code, local_files_only=True)
        except (ValueError, OSError, ImportError, KeyError) as error:
            first = next(iter(str(error).strip().splitlines()), repr(error))
            raise FineTuneError(
                Reason.MODEL_UNSUPPORTED,
                f"the tokenizer cannot be loaded: {first}",
                remedy="Use a model with a tokenizer that transformers knows.",
                path="spec.inputModel.source",
            ) from error


def is_exact() -> bool:
    """Whether the tokenizer is sure to be the one that training has."""
    return importlib.util.find_spec("transformers") is not None


@contextmanager
def _without_torch() -> Iterator[None]:
    """Hides torch from transformers, which then imports none: tokenizers don't need it, and it takes seconds.

    None in sys.modules keeps a module from being found: https://docs.python.org/3/reference/import.html
    """
    if TORCH in sys.modules:
        yield
        return
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    sys.modules[TORCH] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[TORCH]
