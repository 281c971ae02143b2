"""Which files of a source hold a data config's rows. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataConfig
from finetune_runner.formats.reading import FORMATS, format_of
from finetune_runner.sources.source import Pinned, Wanted

BOOKKEEPING = frozenset({"config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})
"""What the datasets library leaves beside rows."""


def wanted_files(config: DataConfig) -> Wanted:
    """Whether a file, by its path in the source, is to be read: one of `files`, else every file of the format.

    Hidden files and the datasets library's own must be asked for by `files`.
    """
    if config.files:
        return lambda name: any(matches(name, pattern) for pattern in config.files)
    family = FORMATS[config.format].family if config.format in FORMATS else ""

    def of_the_format(name: str) -> bool:
        kind = format_of(name)
        return bool(kind) and family in ("", FORMATS[kind].family) and not _aside(name)

    return of_the_format


def matches(name: str, pattern: str) -> bool:
    """Whether a path matches a glob pattern: * stays within a folder, ** stands for any folders, also none."""
    return _match(PurePosixPath(name).parts, PurePosixPath(pattern).parts)


def check_files(pinned: Pinned, config: DataConfig, path: str) -> None:
    """That the files are what the data config speaks of.

    Args:
        pinned: the source.
        config: its data config.
        path: the data config's place in the spec, such as spec.dataConfigs[0].

    Raises:
        FineTuneError: InvalidSpec or DatasetInvalid.
    """
    if pinned.single and config.files:
        message = f"{pinned.uri} is a file itself, of which files can choose none"
        raise FineTuneError(
            Reason.INVALID_SPEC,
            message,
            remedy="Leave it out, or point the source to the folder.",
            path=f"{path}.files",
        )
    first_of: dict[str, str] = {}
    for file in pinned.files:
        if kind := format_of(file.path):
            first_of.setdefault(FORMATS[kind].family, file.path)
    if config.format == "auto" and len(first_of) > 1:
        message = f"{pinned.uri} has files of several formats: {', '.join(first_of.values())}"
        remedy = "Set format, or choose by files."
        raise FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=f"{path}.format")


def _match(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_match(parts[skipped:], patterns[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _match(parts[1:], patterns[1:])


def _aside(name: str) -> bool:
    parts = Path(name).parts
    return parts[-1] in BOOKKEEPING or any(part.startswith((".", "__")) for part in parts)
