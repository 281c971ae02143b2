"""Credentials of a mounted Secret, read anew for each request: whoever issues them may replace them meanwhile."""

from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError
from finetune_runner.store.s3_errors import CREDENTIAL_KEYS
from finetune_runner.store.secrets import optional_secret_value, secret_value

ACCESS, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
Keys = tuple[str, str, str | None]
"""Access key, secret key, and the token of those that hold for a time."""
LINK = "..data"
"""By which the kubelet changes all keys of a Secret at once."""


def keys_in(secrets: Path, name: str, path: str) -> Keys:
    """The keys that a Secret has now.

    Args:
        secrets: folder with a folder for each Secret.
        name: the Secret's name.
        path: the reference's place in the spec.

    Raises:
        FineTuneError: AuthDenied, the Secret or a key of it is missing or unfit.
    """
    access, secret = (secret_value(secrets, name, key, path, keys=CREDENTIAL_KEYS) for key in (ACCESS, SECRET))
    return access, secret, optional_secret_value(secrets, name, TOKEN, path) or None


def session_with(keys: Keys, secret: Path) -> Any:
    """A session of botocore with a Secret's keys, as they are at each request; its last ones, once it is gone.

    Args:
        keys: its first ones.
        secret: where it is mounted.
    """
    from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials  # noqa: PLC0415
    from botocore.session import get_session  # noqa: PLC0415

    class Mounted(Credentials):  # type: ignore[misc]
        def get_frozen_credentials(self) -> Any:
            """Asked for by each request."""
            if new := _current(secret):
                self.access_key, self.secret_key, self.token = new
                return ReadOnlyCredentials(*new)
            return super().get_frozen_credentials()

    class Provider(CredentialProvider):  # type: ignore[misc]
        METHOD = CANONICAL_NAME = "custom-mounted-secret"

        def load(self) -> Any:
            return Mounted(*keys, method=self.METHOD)

    session = get_session()
    session.get_component("credential_provider").insert_before("env", Provider())
    return session


def _current(secret: Path) -> Keys | None:
    """The keys, all of one version of the Secret; None where it has them no more."""
    there = (secret / LINK).resolve() if (secret / LINK).is_symlink() else secret
    try:
        return keys_in(there.parent, there.name, "")
    except (FineTuneError, OSError):
        return None
