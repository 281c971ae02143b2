"""What TensorBoard reads: kept beside the job's report, since it tells of the run and not of what it makes."""

import logging
from pathlib import Path

from finetune_runner.job import Job

log = logging.getLogger(__name__)


def keep(job: Job, name: str, folder: Path) -> None:
    """Puts a pass's event files into the store; a failure is a warning.

    Args:
        job: with the store.
        name: of the pass.
        folder: where its files lie; may be missing.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []
    place = f"{job.folder}/tensorboard/{name}"
    try:
        for file in files:
            job.store.upload(file, f"{place}/{file.relative_to(folder).as_posix()}")
    except Exception as error:  # noqa: BLE001  the pass's own outcome is worth more
        log.warning("pass %s: event files for TensorBoard are not kept: %s", name, error)
        return
    if files:
        log.info("pass %s: event files for TensorBoard: %s", name, job.store.uri(place))
