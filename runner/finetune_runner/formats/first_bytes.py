"""Files that are not what their name says, told by their first bytes."""

from pathlib import Path

from finetune_runner.formats.errors import UnreadableFileError

LFS = b"version https://git-lfs.github.com/spec/"
"""https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer"""
LOOKED_AT = 64
"""Bytes."""
UNPACK = "Unpack it, and upload that."
KNOWN = (
    (LFS, "a pointer of Git LFS, not the file itself", "Fetch it with git lfs pull, and upload that."),
    (b"\x1f\x8b", "compressed by gzip", UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard", UNPACK),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet", "Unpack it, or save the sheet as CSV, and upload that."),
    (b"\xff\xfe", "UTF-16 text", "Save the file as UTF-8."),
    (b"\xfe\xff", "UTF-16 text", "Save the file as UTF-8."),
)
"""How files begin, what they are, and what to do."""


def check_beginning(file: Path) -> None:
    """That a file is none of those that no format of rows is.

    Raises:
        UnreadableFileError: it is one.
    """
    with file.open("rb") as content:
        beginning = content.read(LOOKED_AT)
    for magic, what, remedy in KNOWN:
        if beginning.startswith(magic):
            raise UnreadableFileError(what, remedy)
