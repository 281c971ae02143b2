"""Where a file of a store or source goes on disk."""

from pathlib import Path, PurePosixPath

from finetune_api.failures import FineTuneError, Reason


def below(folder: Path, path: str) -> Path:
    """The place of a relative path below a folder; its parent is made.

    Raises:
        FineTuneError: ArtifactCorrupt, as of `place_below`.
    """
    target = place_below(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def place_below(folder: Path, path: str) -> Path:
    """The same, with nothing made.

    Raises:
        FineTuneError: ArtifactCorrupt, when the path leads out of the folder: names in a bucket are anyone's choice.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise FineTuneError(Reason.ARTIFACT_CORRUPT, f"file name {path!r} leads out of its folder", remedy="Remove it.")
    return folder / pure


def linked_within(folder: Path, path: Path, place: str) -> Path:
    """The path, if what it leads to lies in the folder: a link in a volume is made by whoever may write to it.

    Args:
        folder: where a volume or a config map is mounted.
        path: a path below it, which need not exist.
        place: the location's place in the spec.

    Raises:
        FineTuneError: InvalidSpec, when a link leads out of the folder, such as to the pod's own secrets.
    """
    if path.resolve().is_relative_to(folder.resolve()):
        return path
    raise FineTuneError(
        Reason.INVALID_SPEC,
        f"{path.relative_to(folder).as_posix()!r} leads out of its volume by a link",
        remedy="Put the file itself there.",
        path=place,
    )
