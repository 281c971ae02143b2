"""An object store in an S3 bucket. The only module that talks to one."""

import base64
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import S3Location
from finetune_runner.store import s3_errors
from finetune_runner.store.object_store import Content, ObjectInfo, ObjectStore
from finetune_runner.store.s3_client import account_of, client_for

MAX_SINGLE_COPY = 5 * 1024**3
"""CopyObject's limit in bytes."""
PART_BYTES = 64 * 1024**2
CONCURRENCY = 4


class S3Store:
    """Objects below a location's key. Satisfies ObjectStore."""

    def __init__(self, location: S3Location, *, secrets: Path, scratch: Path, path: str) -> None:
        """Makes no request yet.

        Raises:
            FineTuneError: AuthDenied, when the credentials secret or a key of it is missing.
        """
        self.path = path
        self.bucket = location.bucket
        self.prefix = f"{location.key}/" if location.key else ""
        self.account = account_of(location)
        self.client = client_for(location, secrets=secrets, scratch=scratch, path=path)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self._full(key)}".rstrip("/")

    def check(self) -> None:
        with self._mapped():
            self._look(self.prefix)

    def head(self, key: str) -> ObjectInfo | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        with self._mapped():
            try:
                answer = self.client.head_object(Bucket=self.bucket, Key=self._full(key))
            except ClientError as error:
                # An answer to HEAD has no body, so 404 may also mean: no such bucket, no such user. Listing tells,
                # by this key, since credentials may be bound to a prefix.
                self._look(self._full(key))
                if s3_errors.error_code(error) not in s3_errors.ABSENT:
                    raise
                return None
        modified = answer["LastModified"].timestamp()
        return ObjectInfo(key=key, size=answer["ContentLength"], etag=answer["ETag"], modified=modified)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._full(prefix))
        with self._mapped():
            for page in pages:
                for item in page.get("Contents", []):
                    key = item["Key"].removeprefix(self.prefix)
                    modified = item["LastModified"].timestamp()
                    yield ObjectInfo(key=key, size=item["Size"], etag=item["ETag"], modified=modified)

    def get(self, key: str) -> Content | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        with self._mapped():
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=self._full(key))
            except ClientError as error:
                if s3_errors.error_code(error) in s3_errors.ABSENT:
                    return None
                raise
            return Content(data=answer["Body"].read(), etag=answer["ETag"])

    def read(self, info: ObjectInfo, size: int) -> bytes | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        span = {"Range": f"bytes=0-{size - 1}"} if info.size else {}
        with self._mapped():
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=self._full(info.key), IfMatch=info.etag, **span)
            except ClientError as error:
                if s3_errors.error_code(error) in s3_errors.CONDITION_FAILED | s3_errors.ABSENT:
                    return None
                raise
            return bytes(answer["Body"].read())

    def download(self, info: ObjectInfo, target: Path) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415
        from s3transfer.exceptions import S3DownloadFailedError  # noqa: PLC0415

        target.parent.mkdir(parents=True, exist_ok=True)
        with self._mapped(), self._transfers() as transfers:
            try:
                transfers.download(self.bucket, self._full(info.key), str(target), subscribers=[_pinned(info)]).result()
            except S3DownloadFailedError:  # the etag is another now
                return False
            except ClientError as error:
                if s3_errors.error_code(error) in s3_errors.CONDITION_FAILED | s3_errors.ABSENT:
                    return False
                raise
        return True

    def upload(self, source: Path, key: str) -> None:
        with self._mapped(), self._transfers() as transfers:
            transfers.upload(str(source), self.bucket, self._full(key)).result()

    def put(self, key: str, data: bytes) -> None:
        with self._mapped():
            self.client.put_object(Bucket=self.bucket, Key=self._full(key), Body=data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._conditional_put(key, data, IfNoneMatch="*")

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        return self._conditional_put(key, data, IfMatch=etag)

    def copy_from(self, other: ObjectStore, source: ObjectInfo, key: str, sha256: str) -> bool:
        if not isinstance(other, S3Store) or other.account != self.account or source.size > MAX_SINGLE_COPY:
            return False
        answer = self._copy(other, source, key)
        return answer is not None and answer.get("ChecksumSHA256") == base64.b64encode(bytes.fromhex(sha256)).decode()

    def delete(self, key: str) -> None:
        with self._mapped():
            self.client.delete_object(Bucket=self.bucket, Key=self._full(key))

    def _look(self, prefix: str) -> None:
        self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=1)

    def _copy(self, other: "S3Store", source: ObjectInfo, key: str) -> dict[str, Any] | None:
        """CopyObjectResult; None when the source changed, or the service can't do it or not in time."""
        from botocore.exceptions import ClientError, ReadTimeoutError  # noqa: PLC0415

        refusals = s3_errors.CONDITION_FAILED | s3_errors.UNSUPPORTED | s3_errors.ABSENT
        with self._mapped():
            try:
                answer: dict[str, Any] = self.client.copy_object(
                    Bucket=self.bucket,
                    Key=self._full(key),
                    CopySource={"Bucket": other.bucket, "Key": other._full(source.key)},  # noqa: SLF001
                    CopySourceIfMatch=source.etag,
                    ChecksumAlgorithm="SHA256",
                )
            except ClientError as error:
                if s3_errors.error_code(error) in refusals:
                    return None
                raise
            except ReadTimeoutError:  # some answer only when all bytes are copied
                return None
        return answer["CopyObjectResult"]  # type: ignore[no-any-return]

    def _conditional_put(self, key: str, data: bytes, **condition: str) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        with self._mapped():
            try:
                self.client.put_object(Bucket=self.bucket, Key=self._full(key), Body=data, **condition)
            except ClientError as error:
                code = s3_errors.error_code(error)
                if code in s3_errors.UNSUPPORTED:
                    raise self._no_conditions() from error
                # If-Match on an object that is gone: 404.
                if code in s3_errors.CONDITION_FAILED | s3_errors.ABSENT:
                    return False
                raise
        return True

    def _no_conditions(self) -> FineTuneError:
        return FineTuneError(
            Reason.INVALID_SPEC,
            f"the S3 service of bucket {self.bucket!r} knows no conditional writes",
            remedy="Use a service with If-None-Match and If-Match on PutObject (AWS S3, MinIO, Ceph, versitygw).",
            path=f"{self.path}.endpoint",
        )

    def _transfers(self) -> Any:
        from s3transfer.manager import TransferConfig, TransferManager  # noqa: PLC0415

        config = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_request_concurrency=CONCURRENCY
        )
        return TransferManager(self.client, config)

    def _full(self, key: str) -> str:
        return self.prefix + key

    def _mapped(self) -> AbstractContextManager[None]:
        return s3_errors.mapped(self.path, self.bucket, self.account.secret)


def _pinned(info: ObjectInfo) -> Any:
    """Makes a download ask for exactly this version (If-Match), and know its size without a HEAD."""
    from s3transfer.subscribers import BaseSubscriber  # noqa: PLC0415

    class Pinned(BaseSubscriber):  # type: ignore[misc]
        def on_queued(self, future: Any, **_: Any) -> None:
            future.meta.provide_transfer_size(info.size)
            future.meta.provide_object_etag(info.etag)

    return Pinned()
