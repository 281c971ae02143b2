"""Which files of a dataset repository make up a split, by the hub's own rules. Pure.

https://huggingface.co/docs/hub/datasets-manual-configuration (the README's `configs`), and
https://huggingface.co/docs/hub/datasets-file-names-and-splits (names of files and folders).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from finetune_runner.sources.selection import matches

SUBSET = "source.huggingFace.subset"
DEFAULT = "default"
TRAIN = "train"
KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SHARD = re.compile(r"data/([^/]+)-\d{5}-of-\d{5}[^/]*\.[^/]*")
BETWEEN = "[-._ 0-9]"
"""What a keyword stands between in a name."""
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
Splits = Mapping[str, Sequence[str]]


class LayoutError(ValueError):
    """There is no such subset or split, or the README can't be read: what is wrong, what to do, and the field."""

    def __init__(self, why: str, remedy: str, field: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.field = field


def files_of(paths: Sequence[str], readme: str, subset: str, split: str) -> list[str]:
    """The files of a split.

    Args:
        paths: of the repository's files that could hold rows.
        readme: text of its README.md; empty where it has none.
        subset: name of the subset; empty for the default one.
        split: name of the split.

    Raises:
        LayoutError: there are none.
    """
    splits = splits_of(paths, readme, subset)
    if found := splits.get(split):
        return sorted(found)
    there_is = ", ".join(name for name, files in splits.items() if files)
    remedy = f"The splits there are: {there_is}." if there_is else "Choose its files by files."
    raise LayoutError(f"there is no split {split!r} with files in a known format", remedy, "split")


def splits_of(paths: Sequence[str], readme: str, subset: str) -> Splits:
    """Name of each split to its files.

    Raises:
        LayoutError: there is no such subset.
    """
    declared = _declared(readme)
    if declared:
        config = _chosen(declared, subset)
        folder = str(config.get("data_dir") or "").strip("./")
        within = {path: path[len(folder) + 1 :] if folder else path for path in paths if _below(path, folder)}
        patterns = _patterns(config)
        if not patterns:
            return _by_names(within)
        return {
            split: [path for path, name in within.items() if any(matches(name, glob) for glob in globs)]
            for split, globs in patterns.items()
        }
    if subset not in ("", DEFAULT):
        remedy = "Leave subset out, or choose its files by files."
        raise LayoutError(f"the repository declares no subsets, so none is {subset!r}", remedy, SUBSET)
    return _by_names({path: path for path in paths})


def _declared(readme: str) -> dict[str, dict[str, Any]]:
    """Name of each subset to what the README says of it."""
    found = FRONT_MATTER.match(readme.replace("\r\n", "\n").removeprefix("\ufeff"))
    try:
        card = yaml.safe_load(found[1]) if found else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none
        why = f"the README's front matter is no YAML: {' '.join(str(error).split())}"
        raise LayoutError(why, "Choose the files by files.", "source.huggingFace") from error
    configs = card.get("configs") if isinstance(card, dict) else None
    named = [one for one in configs or [] if isinstance(one, dict) and ("data_files" in one or "data_dir" in one)]
    return {str(one.get("config_name", DEFAULT)): one for one in named}


def _chosen(declared: Mapping[str, dict[str, Any]], subset: str) -> dict[str, Any]:
    if subset in declared:
        return declared[subset]
    marked = [one for name, one in declared.items() if one.get("default") or name == DEFAULT]
    if not subset and (marked or len(declared) == 1):
        return (marked or list(declared.values()))[0]
    why = f"there is no subset {subset!r}" if subset else "there are several subsets"
    raise LayoutError(why, f"Set subset to one of {', '.join(declared)}.", SUBSET)


def _patterns(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Split to glob patterns, of the forms that data_files may have."""
    data_files = config.get("data_files")
    if not data_files:
        return {}
    if isinstance(data_files, dict):
        return {str(split): _list(globs) for split, globs in data_files.items()}
    items = _list(data_files)
    patterns: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if isinstance(item, dict):
            patterns[str(item.get("split", TRAIN))] += _list(item.get("path"))
        else:
            patterns[TRAIN].append(str(item))
    return patterns


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _by_names(names: Mapping[str, str]) -> Splits:
    """By the first of three rules that holds for any file; else all is the training split."""
    rules: list[Callable[[str], str]] = [
        lambda name: shard[1] if (shard := SHARD.fullmatch(name)) else "",
        lambda name: _keyword(PurePosixPath(name).parts[:-1], last="$"),
        lambda name: _keyword(PurePosixPath(name).parts[-1:], last=""),
    ]
    for rule in rules:
        splits: dict[str, list[str]] = defaultdict(list)
        for path, name in names.items():
            splits[rule(name)].append(path)
        splits.pop("", None)
        if splits:
            return splits
    return {TRAIN: list(names)}


def _keyword(parts: Sequence[str], *, last: str) -> str:
    """The split whose keyword stands in one of the names by itself; `last` may stand behind it instead of a sign."""
    end = f"(?:{BETWEEN}|$)" if last else BETWEEN
    for split, keywords in KEYWORDS.items():
        pattern = re.compile(f"(?:^|{BETWEEN})(?:{'|'.join(keywords)}){end}")
        if any(pattern.search(part) for part in parts):
            return split
    return ""
