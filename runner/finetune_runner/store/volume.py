"""An object store in a folder of a mounted volume."""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.object_store import Content, ObjectInfo, ObjectStore
from finetune_runner.store.paths import linked_within

LOCK = ".finetune.lock"
TEMPORARY = ".finetune-tmp-"
FULL = (errno.ENOSPC, errno.EDQUOT)
UNABLE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.ENOLCK)
"""What file systems answer to a call that they do not have."""
NO_FOLDERS = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""What those answer that write no folder to a disk, or by themselves."""


class VolumeStore:
    """Objects as files below a folder. Satisfies ObjectStore.

    A write is a file beside the target and a rename (or, if absent, a hard link), so that no reader sees half of it,
    and both are on the disk when it is over.
    """

    def __init__(self, *, mount: Path, folder: str, claim: str, path: str) -> None:
        self.path = path
        self.mount = mount
        self.folder = folder.strip("/")
        self.claim = claim
        self.root = mount / self.folder if self.folder else mount

    def uri(self, key: str) -> str:
        return "/".join(part for part in (f"volume://{self.claim}", self.folder, key) if part)

    def check(self) -> None:
        if not self.mount.is_dir():
            raise FineTuneError(
                Reason.INVALID_SPEC,
                f"persistent volume claim {self.claim!r} is not mounted",
                remedy="Check that the claim exists in the job's namespace.",
                path=f"{self.path}.claimName",
            )

    def head(self, key: str) -> ObjectInfo | None:
        with self._mapped(reads=True):
            return _info(key, self._file(key))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """As a bucket lists: the prefix need not end at a folder."""
        with self._mapped(reads=True):
            start = self._file(prefix.rpartition("/")[0])
            files = (file for file in start.rglob("*") if file.is_file() and not _is_ours(file))
            keys = sorted(file.relative_to(self.root).as_posix() for file in files)
        return (info for key in keys if key.startswith(prefix) and (info := self.head(key)))

    def get(self, key: str) -> Content | None:
        with self._mapped(reads=True):
            try:
                data = self._file(key).read_bytes()
            except FileNotFoundError:
                return None
        return Content(data=data, etag=_content_etag(data))

    def read(self, info: ObjectInfo, size: int) -> bytes | None:
        if self.head(info.key) != info:
            return None
        with self._mapped(reads=True):
            try:
                with self._file(info.key).open("rb") as opened:
                    return opened.read(size)
            except FileNotFoundError:
                return None

    def download(self, info: ObjectInfo, target: Path) -> bool:
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.head(info.key) != info:
            return False
        with self._mapped(reads=True):
            try:
                shutil.copyfile(self._file(info.key), target)
            except FileNotFoundError:
                return False
        return self.head(info.key) == info

    def upload(self, source: Path, key: str) -> None:
        with self._mapped():
            temporary = self._beside(key)
            shutil.copyfile(source, temporary)
            _sync(temporary)
            self._name(temporary, key)

    def put(self, key: str, data: bytes) -> None:
        with self._mapped():
            self._name(self._written(key, data), key)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with self._mapped():
            temporary = self._written(key, data)
            try:
                with self._able("hard links"):
                    os.link(temporary, self._file(key))
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
            _sync_folder(temporary.parent)
        return True

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        with self._mapped(), self._locked():
            found = self.get(key)
            if found is None or found.etag != etag:
                return False
            self._name(self._written(key, data), key)
        return True

    def copy_from(self, other: ObjectStore, source: ObjectInfo, key: str, sha256: str) -> bool:  # noqa: ARG002
        """A volume proves nothing; and what reads through this process is verified there."""
        return False

    def delete(self, key: str) -> None:
        with self._mapped():
            self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return linked_within(self.mount, self.root / key, self.path)

    def _beside(self, key: str) -> Path:
        """A new name in the folder of a key."""
        folder = self._file(key).parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{TEMPORARY}{uuid.uuid4().hex}"

    def _written(self, key: str, data: bytes) -> Path:
        temporary = self._beside(key)
        temporary.write_bytes(data)
        _sync(temporary)
        return temporary

    def _name(self, temporary: Path, key: str) -> None:
        temporary.replace(self._file(key))
        _sync_folder(temporary.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among those that replace by etag."""
        with (self.root / LOCK).open("w") as lock:
            with self._able("locks"):
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _able(self, what: str) -> Iterator[None]:
        """That the file system has what is asked of it in the block."""
        try:
            yield
        except OSError as error:
            if error.errno not in UNABLE:
                raise
            raise FineTuneError(
                Reason.INVALID_SPEC,
                f"the file system of volume claim {self.claim!r} has no {what}: {error.strerror}",
                remedy="Use one that has, such as NFS, CephFS or a disk's, or a bucket by s3.",
                path=self.path,
            ) from error

    @contextmanager
    def _mapped(self, *, reads: bool = False) -> Iterator[None]:
        """reads: the volume is not written to, so what is full is where it is read to."""
        try:
            yield
        except OSError as error:
            if reads and error.errno in FULL:
                raise
            raise self._failure(error, "read" if reads else "written") from error

    def _failure(self, error: OSError, done: str) -> FineTuneError:
        where = f"volume claim {self.claim!r}"
        if error.errno in FULL:
            return FineTuneError(
                Reason.OUT_OF_DISK, f"{where} is full", remedy="Free space on it, or enlarge the claim.", path=self.path
            )
        if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
            message = f"{self.folder!r} in {where} is a file, or lies below one"
            return FineTuneError(Reason.INVALID_SPEC, message, remedy="Name a folder.", path=f"{self.path}.path")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            remedy = f"The pod runs as user {os.getuid()}; let it, or the pod's fsGroup, read and write there."
            return FineTuneError(
                Reason.AUTH_DENIED, f"{where} can't be {done}: {error.strerror}", remedy=remedy, path=self.path
            )
        return FineTuneError(
            Reason.STORE_UNAVAILABLE,
            f"{where} can't be used: {error.strerror or error}",
            remedy="Check the volume.",
            path=self.path,
        )


def _info(key: str, file: Path) -> ObjectInfo | None:
    """One look, since another job may delete it between two; None for what is no file."""
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    etag = f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"
    return ObjectInfo(key=key, size=found.st_size, etag=etag, modified=found.st_mtime)


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _sync_folder(folder: Path) -> None:
    """So that a name in it outlasts a node that loses its power."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in NO_FOLDERS:
            raise
    finally:
        os.close(number)


def _content_etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_ours(file: Path) -> bool:
    return file.name == LOCK or file.name.startswith(TEMPORARY)
