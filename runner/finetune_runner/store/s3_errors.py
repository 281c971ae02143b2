"""What an S3 service answers, as the failure it means."""

from collections.abc import Iterator
from contextlib import contextmanager

from finetune_api.failures import FineTuneError, Reason

WRONG_CREDENTIALS = {
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "InvalidAccessKeyId": "the access key is unknown",
    "XAdminUserNotFound": "the access key is unknown",
    "InvalidToken": "the session token is not valid",
    "ExpiredToken": "the session token has expired",
    "TokenRefreshRequired": "the session token has expired",
    "InvalidSecurity": "the credentials are not valid",
    "AccessDenied": "access is denied",
    "AllAccessDisabled": "access is disabled",
    "403": "access is denied",
    "401": "access is denied",
}
"""XAdminUserNotFound: versitygw's answer to an unknown access key, with status 404."""

OTHER_REGION = frozenset(
    {"AuthorizationHeaderMalformed", "PermanentRedirect", "301", "IllegalLocationConstraintException"}
)
ARCHIVED = "InvalidObjectState"
ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
CONDITION_FAILED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
UNSUPPORTED = frozenset({"NotImplemented", "501"})
CREDENTIAL_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def error_code(error: Exception) -> str:
    """The code of a botocore ClientError (or of what s3transfer wraps one in); empty for anything else."""
    response = getattr(error, "response", None) or getattr(error.__context__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def mapped(path: str, bucket: str, secret: str) -> Iterator[None]:
    """Turns what botocore and s3transfer raise into failures; what is already one passes.

    Args:
        path: place in the spec of the location, such as spec.store.s3.
        bucket: its bucket.
        secret: name of its credentials secret, empty for the pod's own identity.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  keeps --help fast
    from s3transfer.exceptions import (  # noqa: PLC0415
        RetriesExceededError,
        S3UploadFailedError,
        S3ValidationError,
    )

    try:
        yield
    except (ClientError, BotoCoreError, RetriesExceededError, S3UploadFailedError, S3ValidationError) as error:
        raise failure(error, path, bucket, secret) from error


def failure(error: Exception, path: str, bucket: str, secret: str) -> FineTuneError:
    """The failure that an exception of botocore or s3transfer means."""
    code = error_code(error)
    if code == "NoSuchBucket":
        return FineTuneError(
            Reason.INVALID_SPEC,
            f"bucket {bucket!r} does not exist",
            remedy="Create the bucket, or correct uri (and endpoint).",
            path=f"{path}.uri",
        )
    if code in OTHER_REGION:
        return FineTuneError(
            Reason.INVALID_SPEC,
            f"bucket {bucket!r} is in another region than the request was signed for",
            remedy="Set region to the bucket's, or, with an endpoint, to the one that the service is set up with.",
            path=f"{path}.region",
        )
    if code == ARCHIVED:
        return FineTuneError(
            Reason.INVALID_SPEC,
            f"an object in bucket {bucket!r} is archived",
            remedy="Restore it from the archive, or name a copy.",
            path=f"{path}.uri",
        )
    if code in WRONG_CREDENTIALS:
        return _denied(WRONG_CREDENTIALS[code], path, bucket, secret)
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
        return _denied("there are no credentials", path, bucket, secret)
    remedy = "Check that endpoint is right and reachable from the pods."
    if type(error).__name__ == "SSLError":
        remedy = "Set caBundle to the certificate of the authority that signed the endpoint's."
    message = f"bucket {bucket!r} can't be used: {_first_line(error)}"
    return FineTuneError(Reason.STORE_UNAVAILABLE, message, remedy=remedy, path=path)


def _denied(why: str, path: str, bucket: str, secret: str) -> FineTuneError:
    if secret:
        remedy = f"Check {CREDENTIAL_KEYS} in secret {secret!r}, and that they may list, read, write and delete."
        return FineTuneError(
            Reason.AUTH_DENIED,
            f"bucket {bucket!r} refuses the credentials of secret {secret!r}: {why}",
            remedy=remedy,
            path=f"{path}.credentialsSecretRef",
        )
    remedy = "Set credentialsSecretRef, or give the system's service account an identity with access."
    return FineTuneError(
        Reason.AUTH_DENIED, f"bucket {bucket!r} refuses the pod's own identity: {why}", remedy=remedy, path=path
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
