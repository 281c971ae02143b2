"""Conversations become text by a chat template, and what of it is the assistant's is known. No transformers needed.

Rendered as transformers renders, so that training sees what generation will see: the same sandbox, the same helpers,
but for the clock.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data.marks import BEGIN, END, Text, between_marks

ASSISTANT = "assistant"
MARKED = re.compile(r"\{%-?\s*generation\b")
Message = dict[str, Any]
TODAY = dt.datetime(2024, 7, 26, tzinfo=dt.UTC)
"""What every template is told, whatever the day: the date that Llama's fall back to. Or else the same rows would be
other tokens tomorrow, and a model be asked in words that it was not trained on."""


class ChatTemplate:
    """A chat template, compiled when it is first used."""

    def __init__(self, source: str, *, bos: str, eos: str, path: str) -> None:
        """A template.

        Args:
            source: Jinja.
            bos: the tokenizer's beginning-of-sequence token; empty where it has none.
            eos: its end-of-sequence token.
            path: place in the spec of what chose the template.
        """
        self.source = source
        self.bos = bos
        self.eos = eos
        self.path = path

    def check(self) -> None:
        """That it is a template.

        Raises:
            FineTuneError: InvalidSpec, it is no Jinja.
        """
        _ = self._compiled

    def texts(self, messages: Sequence[Message]) -> list[Text]:
        """The conversation's text in parts, each with whether it is the assistant's; the last one is.

        What follows the assistant's last turn is left out, and white space behind an end mark never counts.

        Raises:
            ValueError: the template refuses the conversation, or nothing of it is the assistant's.
            FineTuneError: InvalidSpec, the template is no Jinja.
        """
        text = self.render(messages)
        found = between_marks(text) if MARKED.search(self.source) else list(self._turns(messages, text))
        while found and not found[-1][1]:
            found.pop()
        if not found:
            msg = "has no turn of the assistant, so nothing would count for the loss"
            raise ValueError(msg)
        return found

    def render(self, messages: Sequence[Message], *, begin_answer: bool = False) -> str:
        """The conversation as text; `begin_answer` opens the assistant's next turn.

        Raises:
            ValueError: the template refuses it.
        """
        from jinja2 import TemplateError  # noqa: PLC0415

        try:
            rendered = self._compiled.render(
                messages=list(messages),
                add_generation_prompt=begin_answer,
                bos_token=self.bos,
                eos_token=self.eos,
                tools=None,
                documents=None,
            )
        except (TemplateError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            msg = f"is refused by the chat template: {error}"
            raise ValueError(msg) from error
        return str(rendered)

    def _turns(self, messages: Sequence[Message], text: str) -> Iterator[Text]:
        """The assistant's turns, found by rendering the conversation up to each of them."""
        at = 0
        for index, message in enumerate(messages):
            if message["role"] != ASSISTANT:
                continue
            begin = self._shared(text, self.render(messages[:index], begin_answer=True)) if index else 0
            end = self._shared(text, self.render(messages[: index + 1]))
            turn = text[begin:end].rstrip()
            yield text[at:begin], False
            yield turn, True
            at = begin + len(turn)
        yield text[at:], False

    def _shared(self, text: str, beginning: str) -> int:
        """How long a beginning of the text is; some templates end every text, also an unfinished one, with EOS."""
        for candidate in (beginning, beginning.removesuffix(self.eos)):
            if text.startswith(candidate):
                return len(candidate)
        msg = (
            "cannot be split into turns, since the chat template writes earlier turns differently once later ones"
            " follow; set chat.chatTemplate to one that wraps what counts in {% generation %}"
        )
        raise ValueError(msg)

    @cached_property
    def _compiled(self) -> Any:
        from jinja2 import TemplateSyntaxError  # noqa: PLC0415

        try:
            return _environment().from_string(self.source)
        except TemplateSyntaxError as error:
            message = f"the chat template is no valid Jinja: {error.message} (line {error.lineno})"
            raise FineTuneError(
                Reason.INVALID_SPEC, message, remedy="Set chat.chatTemplate to a valid one.", path=self.path
            ) from error


def _environment() -> Any:
    from jinja2.ext import loopcontrols  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    from finetune_runner.data.generation_tag import GenerationTag  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _now
    return environment


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Without the HTML escapes that Jinja's own filter writes; arguments as of transformers' filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> None:
    from jinja2 import TemplateError  # noqa: PLC0415

    raise TemplateError(message)


def _now(form: str) -> str:
    return TODAY.strftime(form)


def conversation(value: object) -> list[Message]:
    """A column's value as messages.

    Raises:
        ValueError: it is no list of objects with a role and a text.
    """
    if not isinstance(value, list) or not value:
        msg = "is not a list of messages"
        raise ValueError(msg)
    return [_message(item, number) for number, item in enumerate(value, start=1)]


def _message(item: object, number: int) -> Message:
    said = item if isinstance(item, dict) else {}
    if not isinstance(said.get("role"), str):
        msg = f"message {number} has no role; a message is an object such as {{'role': 'user', 'content': '…'}}"
        raise ValueError(msg)  # noqa: TRY004  one kind of error for whatever is wrong with a row
    if not isinstance(said.get("content"), str) and not said.get("tool_calls"):
        msg = f"message {number} has no text as its content"
        raise ValueError(msg)
    return {
        key: value.replace(BEGIN, "").replace(END, "") if isinstance(value, str) else value
        for key, value in said.items()
    }
