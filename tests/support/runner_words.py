"""What a runner says at its end, as its pod's termination message has it."""

from collections.abc import Sequence

from finetune_api.failures import Reason
from finetune_api.messages import (
    Checkpoint,
    FailureMessage,
    GateOutcome,
    Headline,
    PassOutcome,
    Published,
    TerminationMessage,
)

DIGEST = "A" * 43
"""base64url of 32 zero bytes."""


def key_of(index: int) -> str:
    return f"{index:032x}"


def message(
    kind: str,
    committed: set[int],
    passes: int,
    *,
    published: bool = False,
    failure: FailureMessage | None = None,
    gates: Sequence[bool | None] = (),
    checkpoint: Checkpoint | None = None,
) -> str:
    """A termination message as a runner writes it."""
    outcomes = [PassOutcome(index=i, key=key_of(i), digest=DIGEST if i in committed else "") for i in range(passes)]
    final = Published(
        index=passes - 1,
        uri="s3://models/out",
        digest=DIGEST,
        size_bytes=9,
        format="onnx",
        verified_on="CPUExecutionProvider",
    )
    return TerminationMessage(
        kind=kind,
        passes=outcomes,
        headlines=[Headline(index=i, name="loss", value="0.5") for i in sorted(committed)],
        gates=[GateOutcome(passed=passed, value="0.9000") for passed in gates],
        published=final if published else None,
        failure=failure,
        checkpoint=checkpoint,
    ).encode()


def failure(reason: Reason, text: str = "it broke", index: int | None = None) -> FailureMessage:
    return FailureMessage(reason=reason, message=text, remedy="mend it", path="spec.passes[0]", index=index)
