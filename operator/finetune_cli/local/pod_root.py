"""A folder that looks like a pod's root: claims and config maps as links, secrets as files."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune_api import pod_layout
from finetune_api.failures import FineTuneError, Reason
from finetune_cli.local.references import S3_KEYS, Kind, Reference

HUB_TOKEN = "HF_TOKEN"  # noqa: S105  a variable's name


@dataclass(frozen=True)
class Mapped:
    """Folders that stand for objects of the cluster, by name."""

    claims: Mapping[str, Path]
    secrets: Mapping[str, Path]
    config_maps: Mapping[str, Path]


def build(root: Path, wanted: Sequence[Reference], mapped: Mapped, environment: Mapping[str, str]) -> None:
    """Fills a new folder.

    Args:
        root: the folder; readable by its owner only, since it holds secrets.
        wanted: what the job refers to.
        mapped: what stands for it.
        environment: where a secret without a folder is looked up: keys of an S3 secret by their own name, a hub token
            in HF_TOKEN, others by their name in capitals.

    Raises:
        FineTuneError: InvalidSpec or AuthDenied, with the option that is missing.
    """
    root.mkdir(parents=True, mode=0o700)
    for reference in wanted:
        match reference.kind:
            case "claim":
                _link(root, pod_layout.VOLUMES, reference, mapped.claims, "--mount")
            case "config map":
                _link(root, pod_layout.CONFIG_MAPS, reference, mapped.config_maps, "--config-map")
            case "secret":
                _secret(root, reference, mapped.secrets, environment)


def unread(wanted: Sequence[Reference], mapped: Mapped) -> Iterator[str]:
    """Options that stand for nothing the job reads, as one with a misspelt name does."""
    options: tuple[tuple[str, Kind, Mapping[str, Path]], ...] = (
        ("--mount", "claim", mapped.claims),
        ("--secret", "secret", mapped.secrets),
        ("--config-map", "config map", mapped.config_maps),
    )
    read = {(reference.kind, reference.name) for reference in wanted}
    for option, kind, folders in options:
        for name in folders:
            if (kind, name) not in read:
                yield f"{option} {name}: the job reads no {kind} of that name here"


def remove(root: Path) -> None:
    """Removes the folder; what the links lead to stays."""
    shutil.rmtree(root, ignore_errors=True)


def _link(root: Path, parent: str, reference: Reference, mapped: Mapping[str, Path], option: str) -> None:
    folder = mapped.get(reference.name)
    if folder is None:
        raise FineTuneError(
            Reason.INVALID_SPEC,
            f"no folder stands for {reference.kind} {reference.name!r} on this machine",
            remedy=f"Add {option} {reference.name}=FOLDER.",
            path=reference.path,
        )
    link = _place(root, parent, reference.name)
    if not link.is_symlink():
        link.symlink_to(folder.resolve(), target_is_directory=True)


def _secret(root: Path, reference: Reference, mapped: Mapping[str, Path], environment: Mapping[str, str]) -> None:
    if reference.name in mapped:
        link = _place(root, pod_layout.SECRETS, reference.name)
        if not link.is_symlink():
            link.symlink_to(mapped[reference.name].resolve(), target_is_directory=True)
        return
    folder = _place(root, pod_layout.SECRETS, reference.name)
    folder.mkdir(exist_ok=True)
    for key in reference.keys:
        if value := environment.get(variable(reference, key)):
            (folder / key).write_text(value)
    if not any((folder / key).is_file() for key in reference.keys):
        variables = " and ".join(variable(reference, key) for key in reference.keys[:2])
        raise FineTuneError(
            Reason.AUTH_DENIED,
            f"secret {reference.name!r} is not known on this machine",
            remedy=f"Add --secret {reference.name}=FOLDER (one file a key), or set {variables}.",
            path=reference.path,
        )


def variable(reference: Reference, key: str) -> str:
    """The environment variable that stands for a secret's key."""
    if key in S3_KEYS:
        return key
    if reference.path.endswith(".tokenSecretRef"):
        return HUB_TOKEN
    return re.sub(r"[^A-Z0-9]", "_", key.upper())


def _place(root: Path, parent: str, name: str) -> Path:
    folder = root / parent.lstrip("/") / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def actual_path(uri: str, claims: Mapping[str, Path]) -> str:
    """A volume:// URI as a path of this machine; others as they are."""
    claim, _, rest = uri.removeprefix("volume://").partition("/")
    if not uri.startswith("volume://") or claim not in claims:
        return uri
    return os.path.normpath(claims[claim] / rest)
