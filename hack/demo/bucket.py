"""What the demo puts into the bucket, and what it takes out again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from demo.commands import CHECKOUT, DemoError

MODEL_PREFIX = "gemma3-270m"
DATA_PREFIX = "tone"


def client(variables: Mapping[str, str]) -> Any:
    """A client for the demo's S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=variables["S3_ENDPOINT"],
        aws_access_key_id=variables["S3_ACCESS_KEY"],
        aws_secret_access_key=variables["S3_SECRET_KEY"],
        region_name=variables["S3_REGION"],
        config=Config(s3={"addressing_style": "path"}),
    )


def fill(s3: Any, model: Path) -> None:
    """Put the base model and the tone data where examples/tone.yaml looks for them."""
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in {"models", "datasets", "artifacts"} - there:
        s3.create_bucket(Bucket=bucket)
    for file in sorted(model.iterdir()):
        _upload(s3, file, "models", f"{MODEL_PREFIX}/{file.name}")
    for name in ("train.jsonl", "heldout.jsonl"):
        _upload(s3, CHECKOUT / "examples" / "tone" / name, "datasets", f"{DATA_PREFIX}/{name}")


def download(s3: Any, uri: str, folder: Path) -> dict[str, Any]:
    """Fetch a published artifact and check every file against its manifest; returns the manifest."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    manifest: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=f"{prefix}/manifest.json")["Body"].read())
    for entry in manifest["files"]:
        target = folder / entry["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, f"{prefix}/{entry['path']}", str(target))
        if _sha256(target) != entry["sha256"]:
            raise DemoError(f"{uri}/{entry['path']} is not what its manifest says")
    return manifest


def _upload(s3: Any, file: Path, bucket: str, key: str) -> None:
    """Upload unless an object of that size is there already, so that a second run is quick and finds its cache."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    same = any(entry["Key"] == key and entry["Size"] == file.stat().st_size for entry in listed)
    if not same or file.stat().st_size < 1_000_000:
        s3.upload_file(str(file), bucket, key)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
