"""A bucket of a test's own, on the cluster's S3 server."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from cluster_access import Cluster


@dataclass(frozen=True)
class Bucket:
    name: str
    client: Any

    @classmethod
    def create(cls, cluster: Cluster, name: str) -> "Bucket":
        bucket = cls(name, client(cluster))
        bucket.client.create_bucket(Bucket=name)
        return bucket

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def put(self, key: str, content: bytes | str) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def put_directory(self, prefix: str, directory: Path) -> None:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.client.upload_file(str(path), self.name, f"{prefix}/{path.relative_to(directory)}")

    def infos(self, prefix: str = "") -> list[dict[str, Any]]:
        """Key, Size, ETag and LastModified of each object."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item for page in pages for item in page.get("Contents", [])]

    def keys(self, prefix: str = "") -> list[str]:
        return [item["Key"] for item in self.infos(prefix)]

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def read_json(self, key: str) -> Any:
        return json.loads(self.read(key))

    def download(self, prefix: str, directory: Path) -> Path:
        """The objects below a prefix as files of a directory."""
        for key in self.keys(f"{prefix}/"):
            target = directory / key.removeprefix(f"{prefix}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.read(key))
        return directory

    def delete(self) -> None:
        for key in self.keys():
            self.client.delete_object(Bucket=self.name, Key=key)
        self.client.delete_bucket(Bucket=self.name)


def client(cluster: Cluster) -> Any:
    variables = cluster.environment
    return boto3.client(
        "s3",
        endpoint_url=variables["S3_ENDPOINT"],
        region_name=variables["S3_REGION"],
        aws_access_key_id=variables["S3_ACCESS_KEY"],
        aws_secret_access_key=variables["S3_SECRET_KEY"],
    )
