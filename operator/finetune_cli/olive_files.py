"""The files beside an Olive config."""

from pathlib import Path

from finetune_cli.olive.places import FileKind

MAX_TEXT = 1_000_000
MAX_MATCHES = 10_000


class FolderFiles:
    """Satisfies Files for a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def kind(self, path: str) -> FileKind:
        try:
            found = self.folder / path
            return "file" if found.is_file() else "folder" if found.is_dir() else ""
        except (OSError, ValueError):  # too long, or with a null byte
            return ""

    def matching(self, pattern: str) -> list[str]:
        try:
            found = [match for match in self.folder.glob(pattern) if match.is_file()]
        except (OSError, ValueError, NotImplementedError, IndexError):  # not a pattern, or an absolute one
            return []
        return sorted(match.relative_to(self.folder).as_posix() for match in found)[:MAX_MATCHES]

    def text(self, path: str) -> str | None:
        try:
            with (self.folder / path).open(encoding="utf-8") as file:
                return file.read(MAX_TEXT)
        except (OSError, ValueError):
            return None
