"""Models and rows on the Hugging Face hub: a revision pinned to a commit, files of that commit."""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from finetune_api.cache_key import digest_of
from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import HuggingFaceRepository
from finetune_runner.layout import PodLayout
from finetune_runner.sources.hub_cache import copied
from finetune_runner.sources.hub_pause import is_limited, pause_after
from finetune_runner.sources.source import Kind, Pinned, PinnedFile, Wanted, not_found
from finetune_runner.store.digests import file_sha256
from finetune_runner.store.paths import below
from finetune_runner.store.patience import patiently
from finetune_runner.store.secrets import secret_value

METADATA_SECONDS = 30.0
UNAUTHORIZED = 401
FORBIDDEN = 403
BOOK_KEEPING = ".cache"
"""Folder of the hub library's own in a folder that it downloads to."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class HubSource:
    """Satisfies ListedSource. Files are identified by the repository's commit."""

    def __init__(self, repository: HuggingFaceRepository, *, kind: Kind, layout: PodLayout, path: str) -> None:
        """Makes no request yet.

        Raises:
            FineTuneError: AuthDenied, when the token's secret or key is missing.
        """
        self.path = path
        self.kind = kind
        self.repository = repository
        self.uri = f"hf://{repository.repo}"
        self.token = _token(repository, layout, path)
        self._cache = layout.hub_cache if kind == "model" else None

    def names(self) -> list[str]:
        return [file.rfilename for file in self._info.siblings or []]

    def resolve(self, wanted: Wanted) -> Pinned:
        info = self._info
        files = [_pinned_file(found) for found in info.siblings or [] if wanted(found.rfilename)]
        if not files:
            raise not_found(
                self.kind,
                f"{self._name()} has none of the files that are needed",
                remedy="Check repo, revision and files.",
                path=f"{self.path}.repo",
            )
        return self.pinned(info.sha or "", files)

    def pinned(self, sha: str, files: list[PinnedFile]) -> Pinned:
        """Some files of a commit."""
        repo = self.repository.repo
        digest = digest_of([self.kind, repo, sha, sorted(file.path for file in files)])
        return Pinned(uri=f"hf://{repo}@{sha}", digest=digest, revision=sha, files=files)

    def fetch(self, pinned: Pinned, files: Iterable[PinnedFile], target: Path) -> None:
        for file in files:
            self._patiently(partial(self._fetch, pinned, file, target))
        shutil.rmtree(target / BOOK_KEEPING, ignore_errors=True)

    def _fetch(self, pinned: Pinned, file: PinnedFile, target: Path) -> None:
        place = below(target, file.path)
        with self._mapped():
            if self._from_cache(pinned, file, place):
                return
            # A cache of its own: from a shared one the library would copy without a look at the content.
            self._download(pinned, file, local_dir=target, cache_dir=target / BOOK_KEEPING)
        if file.sha256 and file_sha256(place) != file.sha256:
            place.unlink()  # or else the library would take it for done
            raise self._altered(file)

    def _download(self, pinned: Pinned, file: PinnedFile, **more: Any) -> Path:
        download = self._api().hf_hub_download
        repo = self.repository.repo
        return Path(download(repo, file.path, repo_type=self.kind, revision=pinned.revision, **more))

    def _from_cache(self, pinned: Pinned, file: PinnedFile, place: Path) -> bool:
        """Whether a file was had by way of the cache that pods share, downloaded there if need be.

        Only what the hub has a sha256 of, which are large files: the others are asked of the hub each time, so that one
        who may not read the model gets none of it.
        """
        from huggingface_hub import errors  # noqa: PLC0415

        if self._cache is None or not file.sha256:
            return False
        try:
            for anew in (False, True):
                cached = self._download(pinned, file, cache_dir=self._cache, force_download=anew)
                if copied(cached, file, place):
                    return True
                log.warning("%s in the model cache is not what the hub has, and is not used", cached)
        except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError):
            raise
        except OSError as error:
            log.warning("the model cache can't be used for %s: %s", file.path, error)
        return False

    def read(self, pinned: Pinned, file: PinnedFile, size: int) -> bytes:
        return self._patiently(partial(self._read, pinned, file, size))

    def _read(self, pinned: Pinned, file: PinnedFile, size: int) -> bytes:
        from huggingface_hub import hf_hub_url  # noqa: PLC0415
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # noqa: PLC0415

        url = hf_hub_url(
            self.repository.repo,
            file.path,
            repo_type=self.kind,
            revision=pinned.revision,
            endpoint=self.repository.endpoint or None,
        )
        headers = build_hf_headers(token=self.token or False) | {"Range": f"bytes=0-{size - 1}"}
        with (
            self._mapped(),
            get_session().stream(
                "GET", url, headers=headers, follow_redirects=True, timeout=METADATA_SECONDS
            ) as answer,
        ):
            hf_raise_for_status(answer)
            return first_bytes(answer.iter_bytes(), size)

    @cached_property
    def _info(self) -> Any:
        """The repository as it stands at the first question; later ones mean the same commit."""
        return self._patiently(self._ask, answered=False)

    def _ask(self) -> Any:
        with self._mapped():
            return self._api().repo_info(
                self.repository.repo,
                repo_type=self.kind,
                revision=self.repository.revision,
                files_metadata=True,
                timeout=METADATA_SECONDS,
            )

    def _patiently(self, work: Callable[[], T], *, answered: bool = True) -> T:
        """answered: whether the hub has done so before, as it has for whatever is pinned."""
        return patiently(work, partial(pause_after, answered=answered))

    def _api(self) -> Any:
        from huggingface_hub import HfApi  # noqa: PLC0415  half a second

        # False, not None: no token that happens to lie in the home directory or environment.
        return HfApi(endpoint=self.repository.endpoint or None, token=self.token or False)

    def _name(self) -> str:
        return f"{self.kind} repository {self.repository.repo!r}"

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        from huggingface_hub import errors  # noqa: PLC0415

        try:
            yield
        except (errors.HTTPError, errors.XetDownloadError, OSError, ValueError) as error:
            failure = self._meaning(error)
            if failure is None:
                raise
            raise failure from error

    def _meaning(self, error: Exception) -> FineTuneError | None:
        """The failure that an exception of the library is; None for one that is the disk's."""
        from huggingface_hub import errors  # noqa: PLC0415

        if isinstance(error, errors.HFValidationError):
            return not_found(self.kind, f"{error}", remedy="Correct repo.", path=f"{self.path}.repo")
        # Where a file's metadata can't be had, the library raises something else from what has happened.
        cause = error.__cause__ if isinstance(error, (errors.LocalEntryNotFoundError, ValueError)) else None
        happened = cause if isinstance(cause, Exception) else error
        if isinstance(happened, errors.HfHubHTTPError):
            return self._failure(happened)
        if isinstance(happened, errors.OfflineModeIsEnabled):
            remedy = "Leave it out of the system's env, or put the files on a volume or into a bucket."
            message = f"HF_HUB_OFFLINE is set, so {self._name()} can't be asked for"
            return FineTuneError(Reason.INVALID_SPEC, message, remedy=remedy, path=self.path)
        return None if isinstance(happened, OSError) and happened.errno is not None else self._unavailable(happened)

    def _failure(self, error: Any) -> FineTuneError:
        """What an answer of the hub means."""
        from huggingface_hub import errors  # noqa: PLC0415

        status = error.response.status_code
        if isinstance(error, (errors.GatedRepoError, errors.DisabledRepoError)) or status == FORBIDDEN:
            return self._denied("access is restricted")
        if self.token and status == UNAUTHORIZED:
            return self._denied("the token is not valid, or may not read it")
        if isinstance(error, errors.RepositoryNotFoundError):
            remedy = "Check repo; for a private or gated one set tokenSecretRef."
            return not_found(
                self.kind, f"there is no {self._name()} that we may read", remedy=remedy, path=f"{self.path}.repo"
            )
        if isinstance(error, errors.RevisionNotFoundError):
            message = f"{self._name()} has no revision {self.repository.revision!r}"
            return not_found(self.kind, message, remedy="Check revision.", path=f"{self.path}.revision")
        return self._unavailable(error)

    def _denied(self, why: str) -> FineTuneError:
        return FineTuneError(
            Reason.AUTH_DENIED,
            f"the hub denies access to {self._name()}: {why}",
            remedy="Accept the repository's terms on the hub, and set tokenSecretRef to a token that may read it.",
            path=f"{self.path}.tokenSecretRef",
        )

    def _altered(self, file: PinnedFile) -> FineTuneError:
        return FineTuneError(
            Reason.HUB_UNAVAILABLE,
            f"the hub does not serve {self._name()}: {file.path} arrived with another sha256 than the hub tells",
            remedy="See what lies between pods and hub; where endpoint names a mirror, its copy may be damaged.",
            path=self.path,
        )

    def _unavailable(self, error: Exception) -> FineTuneError:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        remedy = "Check that the pods may reach the hub, or set endpoint to a mirror."
        if is_limited(error):
            remedy = "Set tokenSecretRef, since the hub lets accounts ask more, or endpoint to a mirror."
        message = f"the hub does not serve {self._name()}: {first}"
        return FineTuneError(Reason.HUB_UNAVAILABLE, message, remedy=remedy, path=self.path)


def first_bytes(chunks: Iterable[bytes], size: int) -> bytes:
    """As much of a stream as is asked for: a server need not heed a range."""
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) >= size:
            break
    return bytes(found[:size])


def _pinned_file(found: Any) -> PinnedFile:
    """From what the hub tells of it: of what it keeps in Git LFS, the sha256 too."""
    return PinnedFile(path=found.rfilename, size=found.size or 0, sha256=found.lfs.sha256 if found.lfs else "")


def _token(repository: HuggingFaceRepository, layout: PodLayout, path: str) -> str:
    reference = repository.token_secret_ref
    if reference is None:
        return ""
    return secret_value(layout.secrets, reference.name, reference.key, f"{path}.tokenSecretRef")
