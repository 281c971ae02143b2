"""Arrow's values as JSON would have them."""

import datetime as dt
from decimal import Decimal
from typing import Any


def readable(batch: Any) -> Any:
    """A batch whose values Python can hold: times to the microsecond, in UTC where they have a zone.

    A number of 32 bits becomes the 64-bit one that is written alike: 0.1, not 0.10000000149011612.
    """
    import pyarrow as pa  # noqa: PLC0415

    return pa.RecordBatch.from_arrays([_readable(column) for column in batch.columns], names=batch.schema.names)


def _readable(column: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", "UTC" if column.type.tz else None), safe=False)
    if pa.types.is_float32(column.type):
        return column.cast(pa.string()).cast(pa.float64())
    return column


def plain(value: object) -> object:
    """A value as JSON has it: dates and times in ISO 8601, decimals as they are written.

    Members of an object that are null are left out: a column's objects all have the same members, used or not.
    """
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.timedelta):
        return str(value)
    return value
