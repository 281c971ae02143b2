"""What a GGUF file says of itself, read from its beginning without numpy: prepare decides by it.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAGIC = b"GGUF"
VERSIONS = (2, 3)
FIRST_BYTES = 1 << 20
MOST_BYTES = 1 << 28
"""Vocabularies make a header of a few MiB; one beyond this is not a model's."""

STRING, ARRAY = 8, 9
FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
"""Value types of a fixed size."""


class GgufError(ValueError):
    """The file is not a GGUF file that can be read; the text says why."""


@dataclass(frozen=True)
class Header:
    """A file's metadata, arrays left out, and its tensors."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, int]
    """Name to ggml type."""

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))


def read_header(read: Callable[[int], bytes]) -> Header:
    """The header of a file.

    Args:
        read: gives the file's first bytes, at most as many as asked for.

    Raises:
        GgufError: it is none that can be read.
    """
    size = FIRST_BYTES
    while True:
        data = read(size)
        try:
            return _parse(data)
        except struct.error as error:  # it goes on beyond what was read
            if len(data) < size or size >= MOST_BYTES:
                raise GgufError("it ends within its header") from error
        size *= 4


def _parse(data: bytes) -> Header:
    if data[:4] != MAGIC:
        raise GgufError("it does not begin with GGUF")
    (version,) = struct.unpack_from("<I", data, 4)
    if version not in VERSIONS:
        swapped = int.from_bytes(data[4:8], "big")
        found = f"{swapped}, big-endian" if swapped in VERSIONS else str(version)
        raise GgufError(f"it is of version {found}; versions {' and '.join(map(str, VERSIONS))} are read")
    reader = _Reader(data, 8)
    tensor_count, metadata_count = reader.number("<Q"), reader.number("<Q")
    metadata = {reader.string(): reader.value(reader.number("<I")) for _ in range(metadata_count)}
    return Header(metadata=metadata, tensors=dict(reader.tensor() for _ in range(tensor_count)))


class _Reader:
    """Values one after another; struct.error at the end of the data."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.position)
        self.position += struct.calcsize(form)
        return value

    def string(self) -> str:
        return self._skip(self.number("<Q")).decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:
        """A value; None for an array, which is passed over."""
        if kind in FORMATS:
            return self.number(FORMATS[kind])
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            raise GgufError(f"its header holds a value of the unknown type {kind}")
        return self._pass_array(self.number("<I"), self.number("<Q"))

    def tensor(self) -> tuple[str, int]:
        name = self.string()
        self._skip(8 * self.number("<I"))  # its dimensions
        kind = self.number("<I")
        self._skip(8)  # its offset
        return name, kind

    def _pass_array(self, kind: int, count: int) -> None:
        if kind in FORMATS:
            self._skip(count * struct.calcsize(FORMATS[kind]))
        elif kind == STRING:
            for _ in range(count):
                self._skip(self.number("<Q"))
        else:
            raise GgufError(f"its header holds an array of the unknown type {kind}")

    def _skip(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self.data):
            raise struct.error
        passed = self.data[self.position : end]
        self.position = end
        return passed
