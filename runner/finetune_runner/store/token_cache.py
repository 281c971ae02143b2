"""A tuning pass's tokenised rows in the store, for the next pod or job that trains on the same rows.

They lie where passes' outputs do, under a key of their own; nothing depends on them.
"""

import logging
import shutil
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.commit import Cache

log = logging.getLogger(__name__)

KIND = "tokens"
VERSION = 3
"""Raised when rows are tokenised otherwise, or written otherwise."""
USED_TOKENS = "tokens/"
"""Below a job's folder: an empty object for each key that it has used, for whoever prunes the store."""


class TokenCache:
    """The tokens of one key. Satisfies passes.contract.Tokens."""

    def __init__(self, cache: Cache, key: str, *, attempt: str, job_folder: str) -> None:
        """The tokens of a key, as one job uses them.

        Args:
            cache: the namespace's.
            key: theirs.
            attempt: names this pod.
            job_folder: where the store keeps what is about the job: there it is noted that it uses them.
        """
        self.cache = cache
        self.key = key
        self.attempt = attempt
        self.note = f"{job_folder}/{USED_TOKENS}{key}"

    def restore(self, folder: Path) -> bool:
        """Fetches them into a folder; False where there are none, or they are damaged.

        Raises:
            FineTuneError: StoreUnavailable, AuthDenied.
        """
        manifest = self.cache.find(self.key, {})
        if manifest is None:
            return False
        try:
            self.cache.load(self.key, manifest, folder)
        except FineTuneError as error:
            if error.reason is not Reason.ARTIFACT_CORRUPT:
                raise
            log.warning("%s", error)
            shutil.rmtree(folder)
            folder.mkdir()
            return False
        self.cache.store.put(self.note, b"")
        return True

    def save(self, folder: Path) -> None:
        """Keeps a folder's files.

        Raises:
            FineTuneError: StoreUnavailable, AuthDenied.
        """
        self.cache.commit(
            self.key,
            folder,
            attempt=self.attempt,
            kind=KIND,
            pass_version=VERSION,
            inputs={},
            metrics={},
            libraries={},
        )
        self.cache.store.put(self.note, b"")
