"""What is said to a model, in the words that it was trained on: by the prompt.json that lies beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune_api.resource.data import Chat, Preprocess
from finetune_runner.data.chat import ASSISTANT, Message
from finetune_runner.data.examples import Example
from finetune_runner.data.prompt_file import NAME, prompt_name
from finetune_runner.data.rendering import chat_template, encoder_of
from finetune_runner.data.template import template_of

WHOLE_TEXT = "text"
"""What is asked for where the model goes on with any text."""


class Prompts:
    """Turns what a user says into tokens. A chat is remembered, anything else begins anew."""

    def __init__(self, preprocess: Preprocess, tokenizer: Any) -> None:
        """How a model was trained.

        Raises:
            FineTuneError: InvalidSpec, it was trained on chats and there is no chat template.
        """
        self._chat = chat_template(preprocess, tokenizer, NAME)
        self._encoder = encoder_of(preprocess, tokenizer)
        self._prompt = () if preprocess.chat else template_of(preprocess).prompt
        self._messages: list[Message] = []

    @property
    def columns(self) -> list[str]:
        """What to ask the user for, in order."""
        return list(dict.fromkeys(piece.column for piece in self._prompt if piece.column)) or [WHOLE_TEXT]

    def values(self, text: str) -> dict[str, str]:
        """A text that holds all columns: the only one's value, or a JSON object.

        Raises:
            ValueError: there are several columns, and it is no object with all of them.
        """
        columns = self.columns
        if len(columns) == 1:
            return {columns[0]: text}
        example = json.dumps(dict.fromkeys(columns, "…"), ensure_ascii=False)
        try:
            given = json.loads(text)
        except ValueError:
            given = None
        if not isinstance(given, dict) or not all(column in given for column in columns):
            msg = f"the template takes several columns: give them as JSON, such as {example}"
            raise ValueError(msg)
        return {column: str(given[column]) for column in columns}

    def tokens(self, values: Mapping[str, str]) -> list[int]:
        """The prompt.

        Args:
            values: column to what is said.

        Raises:
            ValueError: the chat template refuses it.
        """
        if self._chat:
            self._messages.append({"role": "user", "content": values[WHOLE_TEXT]})
            text = self._chat.render(self._messages, begin_answer=True)
        else:
            text = "".join(piece.render(values) for piece in self._prompt) or values[WHOLE_TEXT]
        return self._encoder.encode(Example(text, "", rendered=self._chat is not None)).prompt

    def heard(self, answer: str) -> None:
        """What the model said, which is part of a chat from then on."""
        if self._chat:
            self._messages.append({"role": ASSISTANT, "content": answer})


def recorded(folder: Path, tokenizer: Any, adapter: str = "") -> Preprocess:
    """How the model in a folder was trained; a base's own chat template, or plain text, where nothing is recorded.

    Args:
        folder: the model's.
        tokenizer: the model's.
        adapter: name of the one of several that goes over it.
    """
    for file in (folder / prompt_name(adapter), folder / NAME):
        if file.is_file():
            return Preprocess.model_validate_json(file.read_bytes())
    if tokenizer.chat_template:
        return Preprocess(chat=Chat())
    return Preprocess(text_columns=[WHOLE_TEXT])
