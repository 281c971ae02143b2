"""A spec whose adapter and int4 model are both measured on the same rows, for tests of gates."""

from typing import Any

from api_specs import wire_pass, wire_spec

METRICS = [
    {"name": "accuracy", "accuracy": {}},
    {"name": "loss", "loss": {}},
    {"name": "size", "sizeBytes": {}},
    {"name": "pace", "tokensPerSecond": {}},
    {"name": "first", "timeToFirstToken": {}},
]


def gated_spec(*gates: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """As a user writes it: tune, tuned-check, merge, int4, check; on the systems gpu and cpu."""
    passes = [
        wire_pass("tune", "gpu", "lora"),
        wire_pass("tuned-check", "gpu", "evaluate"),
        wire_pass("merge", "cpu", "merge", input="tune"),
        wire_pass("int4", "cpu", "build"),
        wire_pass("check", "cpu", "evaluate"),
    ]
    evaluators = [{"name": "tone-accuracy", "metrics": METRICS}]
    return wire_spec() | {"passes": passes, "evaluators": evaluators, "gates": list(gates)} | parts
