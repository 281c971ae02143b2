"""What a runner's process says of itself while it works."""

import json
import urllib.request
from typing import Any


def said(port: int, page: str) -> dict[str, Any] | None:
    """One of progress and outcome; None before there is any."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except (OSError, ValueError):
        return None
