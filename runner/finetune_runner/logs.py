"""The pod's log: plain lines or one JSON object a line, to stderr."""

import json
import logging
import os
import sys
from datetime import UTC, datetime

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


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def configure(*, level: str, style: str) -> None:
    """Logs from `level` (as engine.logLevel has it) on, in style plain or json."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(JsonFormatter() if style == "json" else plain)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    os.environ["TRANSFORMERS_VERBOSITY"] = TRANSFORMERS_LEVEL.get(level, level)  # read when it is imported
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
