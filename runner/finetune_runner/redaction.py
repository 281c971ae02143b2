"""What this process knows and no message or log line repeats: Secrets that it has read, and logins in addresses."""

import json
import logging
import os
from collections.abc import Iterator

from finetune_api.redaction import CREDENTIALS, HIDDEN, without_logins
from finetune_api.resource.job import FineTuneJobSpec

LEAST_CHARS = 6
"""What is shorter is no secret, and would be found in words."""

_values: set[str] = set()
_variables: set[str] = set(CREDENTIALS)


def keep_secret(value: str) -> None:
    """From now on this value of a Secret is hidden; of one with several lines each."""
    _values.update(line for line in map(str.strip, value.splitlines()) if len(line) >= LEAST_CHARS)


def keep_variables_secret(spec: FineTuneJobSpec) -> None:
    """The same for the environment variables that come from Secrets."""
    variables = (variable for system in spec.systems for variable in system.env)
    _variables.update(v.name for v in variables if v.value_from and v.value_from.secret_key_ref)


def redacted(text: str) -> str:
    """The text, as it may be read by whoever may read the job's status or its pods' logs."""
    for value in sorted(_hidden(), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return without_logins(text)


def _hidden() -> Iterator[str]:
    given = (os.environ.get(name, "") for name in _variables)
    for value in (*_values, *(value for value in given if len(value) >= LEAST_CHARS)):
        yield value
        yield json.dumps(value, ensure_ascii=False)[1:-1]  # as it stands in a log of JSON lines


class Redacting(logging.Formatter):
    """Another formatter's lines, redacted."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        return redacted(self._formatter.format(record))
