"""A real S3 server (versitygw) on a free port of this machine, for tests."""

import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from built_programs import program

ACCESS_KEY = "test-access"
SECRET_KEY = "test-secret"
START_SECONDS = 30


@dataclass(frozen=True)
class S3Server:
    """A running server; its objects are files below `folder`."""

    endpoint: str
    folder: Path

    def client(self) -> Any:
        return _client(self.endpoint)


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own for one test."""

    server: S3Server
    name: str

    def put(self, key: str, data: bytes | str) -> None:
        body = data.encode() if isinstance(data, str) else data
        self.server.client().put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return self.server.client().get_object(Bucket=self.name, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self.server.client().delete_object(Bucket=self.name, Key=key)

    def object_keys(self, prefix: str = "") -> list[str]:
        answer = self.server.client().list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for item in answer.get("Contents", [])]

    def upload(self, folder: Path, prefix: str) -> None:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.server.client().upload_file(
                    str(file), self.name, f"{prefix}/{file.relative_to(folder).as_posix()}"
                )

    def location(self, key: str = "", **more: Any) -> dict[str, Any]:
        """An S3Location on the wire, with the credentials of secret s3."""
        reference = {"credentialsSecretRef": {"name": "s3"}}
        return {"uri": f"s3://{self.name}/{key}", "endpoint": self.server.endpoint, **reference, **more}


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@contextmanager
def running(folder: Path, *options: str, scheme: str = "http") -> Iterator[S3Server]:
    """A server with its state below a folder, until the end of the block."""
    for name in ("buckets", "iam"):
        (folder / name).mkdir()
    port = free_port()
    command = [program("versitygw"), f"--port=127.0.0.1:{port}", "--quiet", f"--iam-dir={folder / 'iam'}", *options]
    keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "posix", str(folder / "buckets")], env={**os.environ, **keys}, stdout=log, stderr=log
        )
        try:
            _wait_until_it_listens(process, port, folder / "log")
            yield S3Server(endpoint=f"{scheme}://127.0.0.1:{port}", folder=folder / "buckets")
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.client().create_bucket(Bucket=name)
    return Bucket(server=s3_server, name=name)


@cache
def _client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the S3 server did not start: {log.read_text()}")
