"""How operator and runner write their log: lines of text, or one JSON object a line."""

import json
import logging
from datetime import UTC, datetime

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def formatter(style: str, time_format: str | None = None) -> logging.Formatter:
    """The formatter of a style, text or json; time_format (as strftime's) is that of text."""
    return JsonFormatter() if style == "json" else logging.Formatter(TEXT, datefmt=time_format)
