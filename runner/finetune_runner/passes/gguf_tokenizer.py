"""The tokenizer that lies in a .gguf file, as files that transformers reads."""

from pathlib import Path

from transformers import AutoTokenizer

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import SOURCE_PATH
from finetune_runner.ending.exceptions import resource_failure

SAMPLES = (
    "### Text: Wait, you two are married? Since when?\n### The tone is:\nsurprise",
    "  It's 12345.67 o'clock;\tWE'LL see\n\n\n    return x_1 != [y]  ",
    "Grüße, señor — «привет», 日本語 😀…",
)
"""Words, blanks, digits, contractions, code, and characters beyond the vocabulary: where tokenizers differ."""


def save_tokenizer(file: Path, target: Path) -> None:
    """Saves a .gguf file's tokenizer into a folder that has the model's config.json.

    transformers makes one tokenizer of the file, and when it loads what that one saved it may make another: by the
    class that it knows for the architecture. So the two are compared.

    Raises:
        FineTuneError: ModelUnsupported, when what is saved cannot be loaded, or is another tokenizer; OutOfHostMemory
            or OutOfDisk.
    """
    try:
        made = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
        made.save_pretrained(target)
        saved = AutoTokenizer.from_pretrained(target, local_files_only=True)
        same = all(made(text).input_ids == saved(text).input_ids for text in SAMPLES)
    except Exception as error:  # the tokenizers library raises nothing more particular
        message = f"the tokenizer in {file.name} cannot be used: {error}"
        raise resource_failure(error) or _unsupported(message) from error
    if not same:
        raise _unsupported(f"the tokenizer in {file.name} gives other tokens once it is saved and loaded")


def _unsupported(message: str) -> FineTuneError:
    return FineTuneError(
        Reason.MODEL_UNSUPPORTED,
        message,
        remedy="Put the original model's tokenizer files beside the .gguf file.",
        path=SOURCE_PATH,
    )
