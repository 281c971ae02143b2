"""Marks in rendered text around what a template declares to be generated. Pure."""

import re

BEGIN = "\ufdd0"
END = "\ufdd1"
"""Code points that Unicode keeps out of all text."""
Text = tuple[str, bool]
"""A part of a text, and whether it counts for the loss."""


def marked(text: str) -> str:
    return f"{BEGIN}{text}{END}"


def between_marks(text: str) -> list[Text]:
    """The text in parts; those between marks count."""
    parts = re.split(f"{BEGIN}(.*?){END}", text, flags=re.DOTALL)
    return [(part, index % 2 == 1) for index, part in enumerate(parts) if part]
