"""Specs in which one export takes the adapters of several passes."""

from typing import Any

from api_specs import wire_pass, wire_spec

EXPORT = "export"


def adapters_spec(*further: str, measured: str = "", **parts: Any) -> dict[str, Any]:
    """As a user writes it: tone and mood tune the base, export takes their adapters, check measures one."""
    passes = [
        wire_pass("tone", "gpu", "lora"),
        wire_pass("mood", "gpu", "qlora", input="base"),
        {"name": EXPORT, "system": "cpu", "input": "tone", "extractAdapters": {"furtherAdapters": list(further)}},
        wire_pass("check", "cpu", "evaluate"),
    ]
    passes[-1]["evaluate"]["adapter"] = measured
    return wire_spec() | {"passes": passes} | parts
