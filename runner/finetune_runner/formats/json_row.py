"""What both forms of JSON say of a row."""

from finetune_runner.data.values import BadRowError, Row, kind_of

LONGEST = 2**26
"""Characters, or bytes of a line: beyond it, a quote, a bracket or the line's end is missing."""
TOO_LONG = f"is longer than {LONGEST // 2**20} MiB"
TOO_DEEP = "nested too deeply"
TOO_DEEP_REMEDY = "Put fewer arrays and objects into one another."
LONG_NUMBER = "a number with too many digits"
LONG_NUMBER_REMEDY = "Write such numbers as text, in quotes."
NOT_UTF_8_REMEDY = "Save the file as UTF-8."


def row_of(value: object) -> Row | BadRowError:
    """A value as a row."""
    if isinstance(value, dict):
        return value
    return BadRowError(f"{kind_of(value)}, not an object", 'Write rows as objects, such as {"text": "…"}.')
