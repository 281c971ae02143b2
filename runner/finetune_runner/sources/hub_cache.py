"""The hub library's own cache, on a volume that pods share, so that the weights of a model are downloaded once.

Whoever may create jobs in the namespace can write there, so a file counts only if it has the digest that the hub has
told. The library locks what it downloads, and a file appears there whole (huggingface_hub/file_download.py).
"""

import hashlib
from pathlib import Path

from finetune_runner.sources.source import PinnedFile

CHUNK_BYTES = 2**22


def copied(cached: Path, file: PinnedFile, target: Path) -> bool:
    """Copies a file out of the cache; false, and nothing is left of it, where it is not what the hub has.

    Raises:
        OSError: the cache or the scratch space does not do as it should.
    """
    if not cached.is_file() or cached.stat().st_size != file.size:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if _copy(cached, target) == file.sha256:
        return True
    target.unlink()
    return False


def _copy(source: Path, target: Path) -> str:
    """sha256 (hex) of what was written."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(CHUNK_BYTES):
            digest.update(chunk)
            writing.write(chunk)
    return digest.hexdigest()
