"""docs/installation.md, run as it stands: from nothing to a model that answers, and back."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import cluster_setup as setup
from cluster_access import Cluster, until
from cluster_bucket import Bucket
from cluster_setup import CHECKOUT, OPERATOR_NAMESPACE, RELEASE, hack
from documented_shell import shell_blocks
from hub_server import running_hub
from tiny_decoders import make_tiny_decoder

GONE_SECONDS = 60

PAGE = CHECKOUT / "docs" / "installation.md"
MODEL = "HuggingFaceTB/SmolLM2-135M"
NAMESPACE = "first-job"

pytestmark = [pytest.mark.faults, pytest.mark.roles_change, pytest.mark.minutes(0.9)]


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a shell, a cluster, a bucket and the page."""

    cluster: Cluster
    bucket: Bucket
    folder: Path
    environment: dict[str, str]

    def follow(self, *headings: str) -> str:
        """Run the blocks under these headings, in a shell that knows the page's variables; what it prints.

        Raises:
            AssertionError: a command failed; with all that was printed.
        """
        blocks = shell_blocks(PAGE)
        script = "".join(blocks[heading] for heading in ("Yours", *headings))
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, f"{', '.join(headings)}:\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def newcomer(cluster: Cluster, tmp_path: Path) -> Iterator[Newcomer]:
    """In the tests' cluster, from which the operator is removed meanwhile. Its pods reach a hub with a tiny model."""
    images = setup.load_images(cluster)
    _remove_first_job(cluster)
    _remove_operator(cluster)
    bucket = Bucket.create(cluster, f"newcomer-{uuid.uuid4().hex[:6]}")
    (tmp_path / "charts").symlink_to(CHECKOUT / "charts")
    with running_hub(cluster.environment["HOST_IP"]) as hub:
        model = make_tiny_decoder("llama", tmp_path / "model")
        hub.repository(MODEL).commit({file.name: file.read_bytes() for file in model.iterdir()})
        values = tmp_path / "values.yaml"
        values.write_text(yaml.safe_dump({"defaultSystem": _default_system(hub.endpoint)}))
        yield Newcomer(cluster, bucket, tmp_path, cluster.environment | _yours(cluster, bucket, images, values))
    _remove_first_job(cluster)
    bucket.delete()
    setup.install_chart(cluster, images)


def _remove_first_job(cluster: Cluster) -> None:
    """Also what a test that was killed has left."""
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    cluster.kubectl("delete", "persistentvolume", f"ml-env-{NAMESPACE}", "--ignore-not-found", "--wait=false")


def _remove_operator(cluster: Cluster) -> None:
    cluster.run("helm", "uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait")
    cluster.kubectl("delete", "namespace", OPERATOR_NAMESPACE)


def _yours(cluster: Cluster, bucket: Bucket, images: dict[str, str], values: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{cluster.environment['PATH']}",
        "OPERATOR_IMAGE": images["operator"],
        "RUNNER_IMAGE": images["thin-runner"],
        "BUCKET": bucket.name,
        "S3_ENDPOINT": cluster.environment["S3_ENDPOINT"],
        "AWS_ACCESS_KEY_ID": cluster.environment["S3_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": cluster.environment["S3_SECRET_KEY"],
        "VALUES": str(values),
    }


def _default_system(hub: str) -> dict[str, object]:
    """What a values file of a cluster without a way to the hub says; the environment is the thin runner's."""
    environment = {"name": "ml-env", "mountPath": "/opt/venv", "persistentVolumeClaim": {"claimName": "ml-env"}}
    variables = {"HF_ENDPOINT": hub, "OMP_NUM_THREADS": "1"}
    return {
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumes": [environment],
    }


def test_from_nothing_to_a_model_that_answers_and_back(newcomer: Newcomer) -> None:
    cluster = newcomer.cluster
    newcomer.follow("Install")
    newcomer.follow("A namespace")
    cluster.kubectl("apply", "-f", "-", stdin=hack("images", "ml-env-volume", "--namespace", NAMESPACE))
    newcomer.follow("A first job")
    assert f"s3://{newcomer.bucket.name}/dates" in newcomer.follow("Watch it")
    assert "model.onnx" in newcomer.follow("Download it and run it")

    told = newcomer.follow("Uninstall")
    assert "Complete" in told
    assert "[CustomResourceDefinition]" in told
    assert f"{newcomer.bucket.name}/dates is what was published" in told
    until(
        lambda: not cluster.get("-n", OPERATOR_NAMESPACE, "pods")["items"], GONE_SECONDS, "the operator's pods are gone"
    )

    newcomer.follow("Remove the rest")
    assert "finetunejobs" not in cluster.kubectl("get", "crd", "-o", "name")
    assert "dates/manifest.json" in newcomer.bucket.keys("dates/")
