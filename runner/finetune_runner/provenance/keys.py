"""Keys that sign and check provenance: PEM files as openssl writes them, ECDSA on P-256 with SHA-256, or Ed25519."""

import hashlib
from typing import TYPE_CHECKING

from finetune_api.failures import FineTuneError, Reason

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey
    PublicKey = EllipticCurvePublicKey | Ed25519PublicKey

COSIGN = b"ENCRYPTED SIGSTORE PRIVATE KEY"
MAKE_ONE = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"


def private_key_of(pem: bytes, path: str) -> "PrivateKey":
    """A key that signs.

    Args:
        pem: the key, not encrypted.
        path: where it is named in the spec.

    Raises:
        FineTuneError: AuthDenied, it is no such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  takes a while, as all of it
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    if COSIGN in pem:
        raise _unfit("is in cosign's own encrypted form", path)
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise _unfit("is encrypted", path) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unfit("can't be read as PEM", path) from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise _unfit("is of another kind", path)


def public_key_of(pem: bytes) -> "PublicKey":
    """A key that checks.

    Raises:
        ValueError: it is none of a kind that signs provenance.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = "it is no public key in PEM"
        raise ValueError(msg) from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    msg = "it is neither an ECDSA P-256 nor an Ed25519 key"
    raise ValueError(msg)


def sign(key: "PrivateKey", message: bytes) -> bytes:
    """The signature of a message."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(SHA256()))
    return key.sign(message)


def is_by(key: "PublicKey", signature: bytes, message: bytes) -> bool:
    """Whether a message's signature is by the key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(SHA256()))
        else:
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def key_id(key: "PublicKey") -> str:
    """A hint at the key: sha256 (hex) of its DER form."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _unfit(what: str, path: str) -> FineTuneError:
    remedy = f"Put an ECDSA P-256 or Ed25519 key in PEM, not encrypted, into the Secret, as made by: {MAKE_ONE}"
    return FineTuneError(Reason.AUTH_DENIED, f"the signing key {what}", remedy=remedy, path=path)
