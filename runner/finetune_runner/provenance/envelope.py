"""A statement as it is published: as it is, or signed in a DSSE envelope.

https://github.com/secure-systems-lab/dsse
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Base64Bytes, BaseModel, Field, ValidationError

from finetune_runner.provenance.keys import is_by, key_id, sign
from finetune_runner.provenance.read_statement import Statement, json_object, read_statement

if TYPE_CHECKING:
    from finetune_runner.provenance.keys import PrivateKey, PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Signature(BaseModel):
    sig: Base64Bytes


class Envelope(BaseModel):
    payload: Base64Bytes
    payload_type: str = Field(alias="payloadType")
    signatures: list[Signature]


@dataclass(frozen=True)
class Opened:
    """A published statement."""

    statement: Statement
    envelope: Envelope | None
    """None where it is not signed."""


def plain(statement: Mapping[str, Any]) -> bytes:
    """A statement that nobody has signed."""
    return (json.dumps(statement, indent=1, ensure_ascii=False) + "\n").encode()


def signed(statement: Mapping[str, Any], key: "PrivateKey") -> bytes:
    """A statement in an envelope with one signature."""
    payload = plain(statement)
    signature = {
        "keyid": key_id(key.public_key()),
        "sig": b64encode(sign(key, encoded(PAYLOAD_TYPE, payload))).decode(),
    }
    envelope = {"payload": b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": [signature]}
    return (json.dumps(envelope, indent=1) + "\n").encode()


def encoded(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def opened(content: bytes) -> Opened:
    """A published statement; nothing of it is checked yet but its form.

    Raises:
        ValueError: it is neither a statement nor an envelope with one.
    """
    document = json_object(content)
    if "payload" not in document:
        return Opened(read_statement(document), None)
    try:
        envelope = Envelope.model_validate(document)
    except ValidationError as error:
        msg = f"it is no DSSE envelope: {error.error_count()} fields are missing or wrong"
        raise ValueError(msg) from error
    if envelope.payload_type != PAYLOAD_TYPE:
        msg = f"its payload is of type {envelope.payload_type!r} and not {PAYLOAD_TYPE!r}"
        raise ValueError(msg)
    return Opened(read_statement(json_object(envelope.payload)), envelope)


def is_signed_by(found: Opened, key: "PublicKey") -> bool:
    """Whether a signature of the envelope is by the key; key ids are hints, and not looked at."""
    if found.envelope is None:
        return False
    message = encoded(found.envelope.payload_type, found.envelope.payload)
    return any(is_by(key, signature.sig, message) for signature in found.envelope.signatures)
