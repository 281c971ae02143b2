"""safetensors files, one tensor in memory at a time: https://github.com/huggingface/safetensors#format.

The library maps a file and keeps what was read resident, or wants all tensors of a file to write it.
"""

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from finetune_api.failures import FineTuneError, Reason

FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""The format's names of the types that weights can be merged in."""
LENGTH = struct.Struct("<Q")
ALIGNMENT = 8
METADATA = "__metadata__"
CHUNK_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Stored:
    """A tensor that lies in a file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int
    """Offset in the file, in bytes."""
    size: int
    """In bytes."""

    def read(self) -> torch.Tensor:
        """The tensor, of a type in FLOATS."""
        content = bytearray(self.size)
        with self.file.open("rb", buffering=0) as file:
            file.seek(self.begin)
            _fill(file, content)
        return torch.frombuffer(content, dtype=FLOATS[self.dtype]).reshape(self.shape)

    def write(self, out: BinaryIO) -> None:
        """Copies its bytes."""
        left = self.size
        with self.file.open("rb", buffering=0) as file:
            file.seek(self.begin)
            while left:
                chunk = file.read(min(left, CHUNK_BYTES))
                if not chunk:
                    raise _cut_off(self.file)
                out.write(chunk)
                left -= len(chunk)


@dataclass(frozen=True)
class Made:
    """A tensor that is made when its turn comes."""

    dtype: str
    shape: tuple[int, ...]
    make: Callable[[], torch.Tensor]
    """Of that type and shape."""

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * FLOATS[self.dtype].itemsize

    def write(self, out: BinaryIO) -> None:
        tensor = self.make().contiguous()
        if tensor.dtype is not FLOATS[self.dtype] or tuple(tensor.shape) != self.shape:
            msg = f"made was {tensor.dtype} {tuple(tensor.shape)} instead of {self.dtype} {self.shape}"
            raise ValueError(msg)
        out.write(tensor.flatten().view(torch.uint8).numpy().data)


@dataclass(frozen=True)
class TensorFile:
    """What a file's header says."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, Stored]
    """By name, as they lie."""


def read_header(path: Path) -> TensorFile:
    """Reads a file's header.

    Raises:
        FineTuneError: ArtifactCorrupt, it is damaged, or shorter than its header says.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = LENGTH.unpack(_exactly(file, LENGTH.size, path))
        if length > size:
            raise _cut_off(path)
        text = _exactly(file, length, path)
    try:
        found = _parsed(path, json.loads(text), LENGTH.size + length)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(f"{path.name} has no header of safetensors") from error
    if any(tensor.begin + tensor.size > size for tensor in found.tensors.values()):
        raise _cut_off(path)
    return found


def write_file(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Stored | Made]) -> None:
    """Writes tensors one after the other, in their order."""
    header: dict[str, object] = {METADATA: dict(metadata)} if metadata else {}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.size
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with path.open("wb") as out:
        out.write(LENGTH.pack(len(text)) + text)
        for tensor in tensors.values():
            tensor.write(out)


def _parsed(path: Path, header: dict[str, Any], start: int) -> TensorFile:
    metadata = header.pop(METADATA, {})
    tensors = {
        name: Stored(path, entry["dtype"], tuple(entry["shape"]), start + begin, end - begin)
        for name, entry in header.items()
        for begin, end in [entry["data_offsets"]]
    }
    return TensorFile(metadata, dict(sorted(tensors.items(), key=lambda item: item[1].begin)))


def _exactly(file: BinaryIO, size: int, path: Path) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise _cut_off(path)
    return content


def _fill(file: BinaryIO, content: bytearray) -> None:
    view = memoryview(content)
    while view:
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise _cut_off(Path(file.name))
        view = view[count:]


def _cut_off(path: Path) -> FineTuneError:
    return _corrupt(f"{path.name} is shorter than its header says")


def _corrupt(what: str) -> FineTuneError:
    return FineTuneError(Reason.ARTIFACT_CORRUPT, f"the weights cannot be read: {what}", remedy="Upload them again.")
