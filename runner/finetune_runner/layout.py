"""Where things lie for this process: a pod's paths, or the same below another root for tests and local runs."""

import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_api import pod_layout


@dataclass(frozen=True)
class PodLayout:
    """The paths of finetune_api.pod_layout, and the pod's identity."""

    job_file: Path
    deletion_file: Path
    secrets: Path
    config_maps: Path
    volumes: Path
    work: Path
    termination_message: Path
    progress_port: int
    pod_uid: str
    """Names this pod's attempt in the store."""
    grace_seconds: int | None = None
    """From being asked to stop to being killed, where the pod has more of them than its system says."""
    hub_cache: Path | None = None
    """The hub library's cache, where it is shared with other pods."""

    @classmethod
    def under(cls, root: Path, *, job_file: Path | None = None, work: Path | None = None) -> "PodLayout":
        """The layout of a pod whose root directory is `root`."""
        return cls(
            job_file=job_file or _below(root, pod_layout.JOB_FILE),
            deletion_file=_below(root, pod_layout.DELETION_FILE),
            secrets=_below(root, pod_layout.SECRETS),
            config_maps=_below(root, pod_layout.CONFIG_MAPS),
            volumes=_below(root, pod_layout.VOLUMES),
            work=work or _below(root, pod_layout.WORK),
            termination_message=_below(root, pod_layout.TERMINATION_MESSAGE),
            progress_port=pod_layout.PROGRESS_PORT,
            pod_uid=os.environ.get(pod_layout.POD_UID_ENV) or str(uuid.uuid4()),
            grace_seconds=int(os.environ.get(pod_layout.GRACE_ENV) or 0) or None,
            hub_cache=Path(cache) if (cache := os.environ.get(pod_layout.HUB_CACHE_ENV)) else None,
        )

    def with_port(self, port: int) -> "PodLayout":
        return replace(self, progress_port=port)

    def folder(self, *parts: str) -> Path:
        """A folder in the scratch space, made if need be."""
        folder = self.work.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")
