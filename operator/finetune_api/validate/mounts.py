"""That a system's volumes replace nothing that its pods run or read. Pure."""

import posixpath
from collections.abc import Iterator, Sequence

from finetune_api import pod_layout
from finetune_api.problem import Problem
from finetune_api.reserved_places import PLACES
from finetune_api.resource.systems import Volume

REMEDY = "mount it elsewhere, such as at /mnt/{name}"


def mount_problems(volumes: Sequence[Volume], path: str) -> Iterator[Problem]:
    """All that is wrong with where volumes are mounted, a job's own as well as those that every job gets.

    Args:
        volumes: the volumes.
        path: where they stand.
    """
    for index, volume in enumerate(volumes):
        place = cleaned(volume.mount_path)
        met = next((own for own in PLACES if _meet(place, own)), None)
        if met and not is_environment(volume):
            message = f"{volume.mount_path} would hide what the pod has in {met}"
            yield Problem(f"{path}[{index}].mountPath", message, REMEDY.format(name=volume.name))


def is_environment(volume: Volume) -> bool:
    """Whether it is the Python environment of an image that has none: a claim, which a policy can bound."""
    return volume.persistent_volume_claim is not None and cleaned(volume.mount_path) == pod_layout.ENVIRONMENT


def cleaned(path: str) -> str:
    """An absolute path as the container's runtime reads it: /a//b/../c → /a/c."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _meet(one: str, other: str) -> bool:
    """Whether the two are the same, or one lies below the other."""
    return posixpath.commonpath((one, other)) in (one, other)
