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
VERSION = 1
"""Raised when rows are tokenised otherwise, or written otherwise."""


class TokenCache:
    """The tokens of one key. Satisfies passes.contract.Tokens."""

    def __init__(self, cache: Cache, key: str, *, attempt: str) -> None:
        self.cache = cache
        self.key = key
        self.attempt = attempt

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
