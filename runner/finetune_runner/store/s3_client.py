"""A boto3 client for an S3Location: credentials from its secret, path-style at an endpoint, retries configured."""

import hashlib
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import S3Location
from finetune_runner.store.mounted_credentials import Keys, keys_in, session_with

DEFAULT_REGION = "us-east-1"
ATTEMPTS = 5
CONNECT_SECONDS = 10
READ_SECONDS = 60
CONNECTIONS = 16


@dataclass(frozen=True)
class Account:
    """What a client acts as, and where: two locations with the same account can copy between each other."""

    endpoint: str
    region: str
    secret: str


def account_of(location: S3Location) -> Account:
    secret = location.credentials_secret_ref.name if location.credentials_secret_ref else ""
    return Account(endpoint=location.endpoint, region=location.region or DEFAULT_REGION, secret=secret)


def client_for(location: S3Location, *, secrets: Path, scratch: Path, path: str) -> Any:
    """A client, without any request made yet.

    Args:
        location: where.
        secrets: folder with the pod's secrets.
        scratch: folder for the CA bundle, which botocore wants as a file.
        path: the location's place in the spec.

    Raises:
        FineTuneError: AuthDenied, when the credentials secret or a key of it is missing; InvalidSpec, caBundle is none.
    """
    account, keys = account_of(location), None
    if account.secret:
        keys = keys_in(secrets, account.secret, f"{path}.credentialsSecretRef")
    return _client(account, keys, secrets / account.secret, _ca_file(location.ca_bundle, scratch, path))


@cache
def _client(account: Account, keys: Keys | None, secret: Path, ca_file: str | None) -> Any:
    """One client for all locations that are reached in the same way: making one takes a third of a second.

    Without keys it is boto3's own chain that finds credentials (workload identity, instance role).
    """
    import boto3  # noqa: PLC0415  another third

    return boto3.session.Session(botocore_session=session_with(keys, secret) if keys else None).client(
        "s3",
        endpoint_url=account.endpoint or None,
        region_name=account.region,
        verify=ca_file,
        config=_config(path_style=bool(account.endpoint)),
    )


def _config(*, path_style: bool) -> Any:
    from botocore.config import Config  # noqa: PLC0415

    return Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if path_style else "auto"},
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        # Checksums only where a call asks for one: many S3-compatible services know no others.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _ca_file(pem: str, scratch: Path, path: str) -> str | None:
    if not pem:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise FineTuneError(
            Reason.INVALID_SPEC,
            "holds no certificate that can be read",
            remedy="Write the PEM text, from -----BEGIN CERTIFICATE----- on.",
            path=f"{path}.caBundle",
        ) from error
    file = scratch / f"ca-{hashlib.sha256(pem.encode()).hexdigest()[:16]}.pem"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(pem)
    return str(file)
