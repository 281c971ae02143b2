"""Fixtures defined in tests/support."""

from command_line import finetune

__all__ = ["finetune"]
