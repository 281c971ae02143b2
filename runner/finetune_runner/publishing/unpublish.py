"""A published artifact, taken back."""

import logging
from pathlib import PurePosixPath

from finetune_runner.provenance import envelope
from finetune_runner.provenance.read_statement import Statement
from finetune_runner.store.beside_names import PROVENANCE
from finetune_runner.store.manifest import MANIFEST
from finetune_runner.store.object_store import ObjectStore

log = logging.getLogger(__name__)


def unpublish(output: ObjectStore, uid: str) -> None:
    """Removes the artifact at an output, if the job of this UID has published it; one of another job stays.

    Its manifest goes first, so that nothing half removed counts, and last its provenance, which tells whose it is.

    Raises:
        FineTuneError: AuthDenied, StoreUnavailable, or InvalidSpec for a bucket or volume that is not there.
    """
    statement = _provenance_at(output)
    if statement is None or statement.predicate.run_details.metadata.invocation_id != uid:
        log.info("nothing at %s was published by this job", output.uri(""))
        return
    files = [subject.name for subject in statement.subject if _lies_below(subject.name)]
    for name in (MANIFEST, *files, PROVENANCE):
        output.delete(name)
    log.info("removed the artifact at %s, %d files", output.uri(""), len(files))


def _provenance_at(output: ObjectStore) -> Statement | None:
    content = output.get(PROVENANCE)
    try:
        return envelope.opened(content.data).statement if content else None
    except ValueError as error:
        log.warning("%s is not ours: %s", output.uri(PROVENANCE), error)
        return None


def _lies_below(name: str) -> bool:
    """Whether it names a file of the artifact's folder: names in a bucket are anyone's choice."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts
