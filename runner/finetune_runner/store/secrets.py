"""Secrets and config maps as the pod sees them: one folder each, one file a key."""

from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.redaction import keep_secret


def secret_value(secrets: Path, name: str, key: str, path: str, *, keys: str = "") -> str:
    """One key of a Secret, without surrounding white space.

    Args:
        secrets: folder with a folder for each Secret.
        name: the Secret's name.
        key: the key.
        path: the reference's place in the spec.
        keys: all keys the Secret needs, in words, where this one does not stand alone.

    Raises:
        FineTuneError: AuthDenied, when the secret or the key is missing or empty, or no text.
    """
    value = optional_secret_value(secrets, name, key, path)
    if value:
        return value
    there_is = f"secret {name!r} has no key {key!r}" if _keys(secrets / name) else f"there is no secret {name!r}"
    raise FineTuneError(
        Reason.AUTH_DENIED,
        f"{there_is} in the job's namespace",
        remedy=f"Create secret {name!r} with {keys or f'the key {key!r}'}, then create the job anew.",
        path=path,
    )


def optional_secret_value(secrets: Path, name: str, key: str, path: str) -> str:
    """One key of a Secret, which no message or log line repeats from then on; empty where there is none.

    Raises:
        FineTuneError: AuthDenied, when it is no text.
    """
    file = secrets / name / key
    try:
        value = file.read_text(encoding="utf-8-sig").strip() if file.is_file() else ""
    except UnicodeDecodeError as error:
        raise FineTuneError(
            Reason.AUTH_DENIED,
            f"key {key!r} of secret {name!r} is not UTF-8 text",
            remedy="Write it anew from a file that is saved as UTF-8, then create the job anew.",
            path=path,
        ) from error
    keep_secret(value)
    return value


def _keys(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.is_file()] if folder.is_dir() else []
