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
LOGIN = re.compile(r"\b((?:https?|socks5h?)://)[^/\s]+@|\b([a-z][a-z0-9+.-]*://)[^/\s:@]*:[^/\s]+@", re.IGNORECASE)
"""A web address with a user, or any with a password; hf://gpt2@main is neither."""
HIDDEN = "…"


def without_logins(text: str) -> str:
    """The text, with user and password of every address in it hidden."""
    return LOGIN.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}@", text)
