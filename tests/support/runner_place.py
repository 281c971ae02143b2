"""A pod's paths below a temporary folder, and a job in it: what the runner sees, without a pod."""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fake_model import make_fake_model
from finetune_api.messages import TerminationMessage
from finetune_runner.job import Job, open_job, read_document
from finetune_runner.layout import PodLayout
from s3_server import ACCESS_KEY, SECRET_KEY, Bucket

TONES = [
    {"phrase": "the sun is out", "tone": "joy"},
    {"phrase": "the rain never ends", "tone": "sadness"},
    {"phrase": "who is there", "tone": "fear"},
    {"phrase": "a letter from nowhere", "tone": "surprise"},
]
TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def data_config(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "tones", "source": source, "preprocess": {"textTemplate": TEMPLATE}, **more}


@dataclass
class Place:
    """Root of a pod that is not one."""

    root: Path
    bucket: Bucket
    namespace: str = "team"
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def layout(self) -> PodLayout:
        return PodLayout.under(self.root).with_port(0)

    def secret(self, name: str, **keys: str) -> None:
        folder = self.layout.secrets / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in keys.items():
            (folder / key).write_text(value)

    def spec(self, **parts: Any) -> dict[str, Any]:
        """LoRA, merge and int4 on one CPU system; base, rows, store and output in the bucket."""
        return {
            "inputModel": {"source": {"s3": self.bucket.location("base")}},
            "dataConfigs": [data_config({"s3": self.bucket.location("tones.jsonl")})],
            "systems": [{"name": "cpu"}],
            "passes": [
                {"name": "tune", "lora": {"trainData": "tones"}},
                {"name": "merge", "mergeAdapterWeights": {}},
                {"name": "int4", "modelBuilder": {}},
            ],
            "store": {"s3": self.bucket.location("store")},
            "output": {"s3": self.bucket.location("out")},
        } | parts

    def write_job(self, spec: dict[str, Any]) -> None:
        file = self.layout.job_file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"namespace": self.namespace, "name": "job", "uid": self.uid, "spec": spec}))

    def job(self, spec: dict[str, Any] | None = None) -> Job:
        """The job as a new process of this pod opens it."""
        self.write_job(spec or self.spec())
        return open_job(read_document(self.layout.job_file), self.layout)

    def another(self) -> "Place":
        """The same pod's root, for another job."""
        return Place(self.root, self.bucket, self.namespace)

    def command(self, *arguments: str) -> list[str]:
        options = ["--root", str(self.root), "--progress-port", "0"]
        return [sys.executable, "-m", "finetune_runner", *arguments, *options]

    def run(self, *arguments: str) -> "Ended":
        """The real program, to its end."""
        ended = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, env=environment(), timeout=300
        )
        return Ended(ended.returncode, self.last_word(), ended.stderr)

    def last_word(self) -> TerminationMessage:
        return TerminationMessage.decode(self.layout.termination_message.read_text())


@dataclass(frozen=True)
class Ended:
    """How the program ended."""

    code: int
    message: TerminationMessage
    log: str


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def place(tmp_path: Path, bucket: Bucket) -> Place:
    """A pod with the secret s3, and a bucket with a model in base/ and rows in tones.jsonl."""
    here = Place(tmp_path / "pod", bucket)
    here.secret("s3", AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    bucket.upload(make_fake_model(tmp_path / "model"), "base")
    bucket.put("tones.jsonl", jsonl(TONES))
    return here
