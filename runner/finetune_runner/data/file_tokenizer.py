"""A tokenizer from its files alone, by the tokenizers library: what a preview needs, without transformers or torch."""

import json
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import SOURCE_PATH

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"
CHAT_TEMPLATE = "chat_template.jinja"


class FileTokenizer:
    """As much of transformers' interface as rows need."""

    def __init__(self, directory: Path) -> None:
        """Reads tokenizer.json, tokenizer_config.json and chat_template.jinja, of which the first must be there.

        Raises:
            FineTuneError: ModelUnsupported.
        """
        from tokenizers import Tokenizer  # noqa: PLC0415

        try:
            self.backend = Tokenizer.from_file(str(directory / TOKENIZER))
        except Exception as error:  # the library raises nothing narrower
            message = f"{TOKENIZER} can't be read: {error}"
            remedy = "Save the model's tokenizer in transformers' fast format."
            raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy, path=SOURCE_PATH) from error
        self.backend.no_truncation()
        self.backend.no_padding()
        self.config = _config(directory / CONFIG)
        self.bos_token = self._special("bos_token")
        self.eos_token = self._special("eos_token")
        self.chat_template = _template(directory / CHAT_TEMPLATE, self.config)

    @property
    def eos_token_id(self) -> int | None:
        return self.backend.token_to_id(self.eos_token) if self.eos_token else None

    def __call__(self, text: str | list[str], *, add_special_tokens: bool = True) -> dict[str, Any]:
        """input_ids of a text, or of each of several."""
        texts = [text] if isinstance(text, str) else text
        encodings = self.backend.encode_batch_fast(texts, add_special_tokens=add_special_tokens)
        made = [self._begun(found.ids) if add_special_tokens else found.ids for found in encodings]
        return {"input_ids": made[0] if isinstance(text, str) else made}

    def get_vocab(self) -> dict[str, int]:
        return dict(self.backend.get_vocab(with_added_tokens=True))

    def add_tokens(self, tokens: list[Any]) -> None:
        self.backend.add_tokens(tokens)

    def decode(self, ids: list[int]) -> str:
        return str(self.backend.decode(ids, skip_special_tokens=False))

    def _special(self, name: str) -> str:
        value = self.config.get(name)
        content = value.get("content") if isinstance(value, dict) else value
        return content if isinstance(content, str) else ""

    def _begun(self, ids: list[int]) -> list[int]:
        """add_bos_token, where the configuration sets it, counts more than what tokenizer.json does."""
        bos = self.backend.token_to_id(self.bos_token) if self.bos_token else None
        wanted = self.config.get("add_bos_token")
        if bos is None or wanted is None:
            return ids
        rest = ids[1:] if ids[:1] == [bos] else ids
        return [bos, *rest] if wanted else rest


def template_in(directory: Path) -> str:
    """The chat template of a tokenizer's files; empty where they have none.

    Raises:
        FineTuneError: ModelUnsupported, tokenizer_config.json is not JSON, or the template no UTF-8.
    """
    return _template(directory / CHAT_TEMPLATE, _config(directory / CONFIG))


def _config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        message = f"{file.name} is not JSON: {error}"
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy="Upload it again.", path=SOURCE_PATH) from error
    return found if isinstance(found, dict) else {}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"{file.name} is not UTF-8: byte {error.start}"
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy="Save it as UTF-8.", path=SOURCE_PATH) from error


def _template(file: Path, config: dict[str, Any]) -> str:
    """The chat template; of several the default one."""
    if file.is_file():
        return _text(file)
    found = config.get("chat_template")
    if isinstance(found, list):
        named = (one for one in found if isinstance(one, dict))
        found = next((one.get("template") for one in named if one.get("name") == "default"), "")
    return found if isinstance(found, str) else ""
