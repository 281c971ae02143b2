"""Digests of files and of directories."""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def directory_digest(files: Iterable[tuple[str, str]]) -> str:
    """sha256 (hex) over a directory: its sorted lines "sha256  path" (as sha256sum writes them).

    Args:
        files: path (with slashes, relative) and sha256 (hex) of each file.
    """
    lines = sorted(f"{sha256}  {path}\n" for path, sha256 in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def short(digest: str) -> str:
    """A sha256 in hex as it travels in the termination message: base64url without padding, 43 characters."""
    return base64.urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip("=")
