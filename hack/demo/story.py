"""The demo from its first check to its last line."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo import bucket, job
from demo.alone import alone
from demo.base_model import NOTICE, default_output
from demo.commands import CHECKOUT, CLUSTER, DemoError, environment, hack, run

RESULT = CHECKOUT / ".demo" / "result.json"
RELEASE = "finetune-operator"
SYSTEM_NAMESPACE = "finetune-system"


def main() -> int:
    """Tell the story; 0 when the model answered."""
    try:
        with alone():
            _run()
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


class Stopwatch:
    """Seconds a part took, by its name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str, text: str) -> Iterator[None]:
        started = time.monotonic()
        print(f"==> {text}", file=sys.stderr, flush=True)
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)
        print(f"    {self.seconds[name]:.0f} s", file=sys.stderr, flush=True)


def _run() -> None:
    watch = Stopwatch()
    variables = _cluster(watch)
    _inputs(watch, variables)
    with watch.part("install", "Installing the operator with Helm"):
        _install(variables)
    with watch.part(
        "job", "Running examples/tone.yaml (about 8 minutes on two cores; seconds when its passes are cached)"
    ):
        finished = job.apply(variables)
    with watch.part("answers", "Downloading the artifact from the bucket, checking its digests, and asking it"):
        answers = _answers(variables, finished)
    _tell(_result(finished, answers, watch.seconds))


def _cluster(watch: Stopwatch) -> dict[str, str]:
    with watch.part("programs", "Building Kubernetes, Helm and an S3 server from source (25 minutes, once)"):
        hack("cluster", "build")
    with watch.part("cluster", "Starting a single-node Kubernetes and the S3 server (half a minute)"):
        hack("cluster", "up", "--name", CLUSTER)
    with watch.part("images", "Building the two images and loading them (15 minutes cold, seconds when unchanged)"):
        hack("images", "load", "--cluster", CLUSTER, "operator", "runner")
    return environment()


def _inputs(watch: Stopwatch, variables: Mapping[str, str]) -> None:
    with watch.part("model", "Making the base model, Gemma 3 270M (3 minutes, once)"):
        print(NOTICE, file=sys.stderr)
        hack("demo/base_model.py")
    with watch.part("upload", "Putting base model and tone data into the bucket"):
        bucket.fill(bucket.client(variables), default_output())


def _install(variables: Mapping[str, str]) -> None:
    images = json.loads(hack("images", "refs", "--json"))
    values = [f"image.operator.reference={images['operator']}", f"image.runner.reference={images['runner']}"]
    settings = [part for value in values for part in ("--set", value)]
    place = ["--namespace", SYSTEM_NAMESPACE, "--create-namespace", "--wait", "--timeout", "5m"]
    run(["helm", "upgrade", "--install", RELEASE, "charts/finetune-operator", *place, *settings], variables)
    _apply(variables, _namespace())
    _apply(variables, _secret(variables))


def _apply(variables: Mapping[str, str], manifest: Mapping[str, Any]) -> None:
    run(["kubectl", "apply", "--server-side", "--filename", "-"], variables, stdin=json.dumps(manifest))


def _namespace() -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": job.NAMESPACE, "labels": labels}}


def _secret(variables: Mapping[str, str]) -> dict[str, Any]:
    keys = {"AWS_ACCESS_KEY_ID": variables["S3_ACCESS_KEY"], "AWS_SECRET_ACCESS_KEY": variables["S3_SECRET_KEY"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s3", "namespace": job.NAMESPACE},
        "stringData": keys,
    }


def _answers(variables: Mapping[str, str], finished: Mapping[str, Any]) -> list[dict[str, str]]:
    from demo import answers  # noqa: PLC0415 - only here is the artifact's runtime needed

    folder = Path(tempfile.mkdtemp(prefix="finetune-demo-"))
    try:
        bucket.download(bucket.client(variables), finished["status"]["artifacts"][0]["uri"], folder)
        return answers.ask(folder)
    finally:
        shutil.rmtree(folder)


def _result(finished: Mapping[str, Any], answers: list[dict[str, str]], seconds: dict[str, float]) -> dict[str, Any]:
    artifact = finished["status"]["artifacts"][0]
    return {
        "artifact": {key: artifact[key] for key in ("uri", "digest", "sizeBytes")},
        "accuracy": {
            "base": _accuracy(finished, "base-check"),
            "tuned": _accuracy(finished, "tuned-check"),
            "int4": _accuracy(finished, "int4-check"),
        },
        "answers": answers,
        "seconds": {**seconds, "total": round(sum(seconds.values()), 1)},
    }


def _accuracy(finished: Mapping[str, Any], name: str) -> float:
    metrics = next(step["metrics"] for step in finished["status"]["passes"] if step["name"] == name)
    return float(next(metric["value"] for metric in metrics if metric["name"] == "accuracy"))


def _tell(result: Mapping[str, Any]) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    artifact, accuracy = result["artifact"], result["accuracy"]
    print(f"\nThe int4 ONNX model: {artifact['uri']}")
    print(f"  digest {artifact['digest']}, {artifact['sizeBytes'] / 1e6:.0f} MB")
    print("Accuracy on held-out phrases:")
    for name, label in (("base", "base model"), ("tuned", "tuned model"), ("int4", "int4 artifact")):
        print(f"  {label:14} {accuracy[name]:.3f}")
    print("The artifact's own answers:")
    for answer in result["answers"]:
        mark = "ok" if answer["got"].lower() == answer["expected"].lower() else "wrong"
        print(f"  {answer['phrase']!r}: {answer['got']} (expected {answer['expected']}, {mark})")
    print(f"\n{RESULT.relative_to(CHECKOUT)} has all of it. Look around, then end the cluster:")
    print(f'  eval "$(python3 hack/cluster env --name {CLUSTER})" && kubectl --namespace {job.NAMESPACE} describe ftj')
    print("  make cluster-down")
