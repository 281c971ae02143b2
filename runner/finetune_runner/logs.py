"""The pod's log: lines of text or one JSON object a line, to stderr, without what is secret."""

import logging
import os
import sys
from collections import deque

from finetune_api.log_format import formatter
from finetune_runner.redaction import Redacting

CHATTY = (
    "botocore",
    "boto3",
    "s3transfer",
    "urllib3",
    "httpx",
    "httpcore",
    "filelock",
    "huggingface_hub",
    "matplotlib",
)
"""Libraries whose debug lines show request headers, and so credentials, or drown ours."""


TRANSFORMERS_LEVEL = {"debug": "info", "info": "warning"}
"""What engine.logLevel means for transformers, whose every info would drown ours; other levels are the same."""


LAST_RECORDS = 40
"""More than a termination message has room for."""


class _Last(logging.Handler):
    """Keeps the last records, as they stand in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: deque[str] = deque(maxlen=LAST_RECORDS)

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(self.format(record))


_last = _Last()


def last_lines() -> str:
    """The end of this process's log: what its children write there themselves is not known."""
    return "\n".join(_last.kept)


def configure(*, level: str, style: str) -> None:
    """Logs from `level` (as engine.logLevel has it) on, in style text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting(formatter(style, time_format="%H:%M:%S")))
    _last.setFormatter(handler.formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler, _last], force=True)
    os.environ["TRANSFORMERS_VERBOSITY"] = TRANSFORMERS_LEVEL.get(level, level)  # read when it is imported
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
