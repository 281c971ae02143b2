"""Text that others may read, without logins. Pure."""

import re

CREDENTIALS = frozenset(
    {
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "DATABRICKS_TOKEN",
        "HF_TOKEN",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "WANDB_API_KEY",
    }
)
"""Environment variables that hold a secret."""
LOGIN = re.compile(r"\b(https?|socks5h?)://[^/\s]+@")
HIDDEN = "…"


def without_logins(text: str) -> str:
    """The text, with user and password of every address in it hidden."""
    return LOGIN.sub(rf"\1://{HIDDEN}@", text)
