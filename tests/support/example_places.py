"""The places that examples name, on this machine: a hub, buckets and claims with tiny models and few rows in them."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import s3_server
from command_line import REPOSITORY
from finetune_api.messages import JobDocument
from finetune_api.resource.job import FineTuneJobSpec
from finetune_cli import manifest
from finetune_cli.local import pod_root
from finetune_cli.local.local_spec import local_spec
from finetune_cli.local.on_cpu import on_cpu
from finetune_cli.local.pod_root import Mapped
from finetune_cli.local.references import references
from finetune_runner.job import Job, open_job
from finetune_runner.layout import PodLayout
from hub_server import Hub, running_hub
from s3_server import ACCESS_KEY, SECRET_KEY, Bucket, S3Server
from tiny_decoders import make_tiny_decoder
from tiny_gemma3 import make_tiny_gemma3
from tiny_phi3 import make_tiny_phi3
from tiny_tokenizer import tiny_tokenizer
from word_tokenizer import CHATML

EXAMPLES = REPOSITORY / "examples"
BUCKETS = ("models", "datasets", "artifacts")
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


@dataclass(frozen=True)
class Places:
    """What a user has before applying an example."""

    hub: Hub
    s3: S3Server
    claims: Mapping[str, Path]

    def job(self, example: Path, root: Path) -> Job:
        """An example's job in a pod's root; accelerators are left out, and endpoints lead here.

        So are gates on what a model must reach: a tiny one of random weights reaches nothing.
        """
        with example.open("rb") as file:
            found = manifest.read_one(file, str(example), "")
        assert found.spec is not None
        spec = FineTuneJobSpec.model_validate(self._served(found.spec.to_wire()))
        spec, _ = on_cpu(local_spec(spec, found.name, as_written=True))
        spec = spec.model_copy(update={"gates": [gate for gate in spec.gates if gate.max_drop]})
        pod_root.build(root, references(spec), Mapped(self.claims, {}, {}), KEYS)
        document = JobDocument(namespace=found.namespace, name=found.name, uid=str(uuid.uuid4()), spec=spec)
        return open_job(document, PodLayout.under(root))

    def _served(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._served(item) for item in value]
        if not isinstance(value, dict):
            return value
        endpoints = {"huggingFace": self.hub.endpoint, "s3": self.s3.endpoint}
        return {
            key: item | {"endpoint": endpoints[key]} if key in endpoints else self._served(item)
            for key, item in value.items()
        }

    def published(self, uri: str) -> dict[str, Any]:
        """The manifest of the artifact at an URI."""
        kind, _, place = f"{uri}/manifest.json".partition("://")
        first, _, path = place.partition("/")
        text = (self.claims[first] / path).read_bytes() if kind == "volume" else Bucket(self.s3, first).get(path)
        return dict(json.loads(text))


@contextmanager
def example_places(
    folder: Path,
    *,
    hub_models: Mapping[str, str],
    models: Mapping[str, str],
    hub_rows: Mapping[str, Sequence[Mapping[str, str]]],
) -> Iterator[Places]:
    """Fills and serves them until the end of the block. Rows of examples/ lie in the bucket and the claim for data.

    Args:
        folder: for all that lies on a disk.
        hub_models: a repository of the hub to the family of the tiny model in it.
        models: the same for a name in the bucket and the claim `models`.
        hub_rows: a dataset repository to its rows.
    """
    claims = {"models": folder / "models", "data": EXAMPLES, "artifacts": folder / "artifacts"}
    for made in ("s3", "artifacts"):
        (folder / made).mkdir()
    with s3_server.running(folder / "s3") as server, running_hub() as hub:
        buckets = {name: Bucket(server, name) for name in BUCKETS}
        for name in BUCKETS:
            server.client().create_bucket(Bucket=name)
        for file in EXAMPLES.glob("*/*.jsonl"):
            buckets["datasets"].put(file.relative_to(EXAMPLES).as_posix(), file.read_bytes())
        for name, family in models.items():
            buckets["models"].upload(_tiny(family, folder / "models" / name), name)
        for name, family in hub_models.items():
            files = _tiny(family, folder / "hub" / family).iterdir()
            hub.repository(name).commit({file.name: file.read_bytes() for file in files})
        for name, rows in hub_rows.items():
            text = "".join(json.dumps(row) + "\n" for row in rows)
            hub.repository(name, "dataset").commit({"rows.jsonl": text.encode()})
        yield Places(hub, server, claims)


def _tiny(family: str, directory: Path) -> Path:
    match family:
        case "phi3":
            return make_tiny_phi3(directory)
        case "gemma3":
            return make_tiny_gemma3(directory)
        case "qwen2":
            return _with_chat_template(make_tiny_decoder("qwen2", directory))
    return make_tiny_decoder(family, directory)


def _with_chat_template(model: Path) -> Path:
    """Qwen's: a turn ends with the token that ends a text."""
    tokenizer = tiny_tokenizer(bos="<|im_start|>", eos="<|im_end|>", pad="<|endoftext|>", adds_bos=False)
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(model)
    return model
