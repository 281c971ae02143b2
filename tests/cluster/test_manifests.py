"""The API server accepts what it should: every example, and whatever finetune import makes; and refuses mistakes."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from cluster_access import Cluster
from command_line import REPOSITORY
from finetune_api.validate import parse
from olive_any import configs
from olive_configs import imported
from wrong_inputs import Mistake, by_name, good_manifest, mistakes

EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))
OVERLAYS = sorted((REPOSITORY / "examples" / "kustomize" / "overlays").iterdir())
MOUNT_PATHS = (
    *("/", "/./", "/usr", "/usr/", "/usr/local/lib", "/lib64", "/dev/shm", "/etc", "/etc/finetune", "/opt/."),
    *("/var/run", "//opt//./finetune/", "/opt/finetune/lib", "/opt/venv", "/opt/venv/", "/opt/venv/lib"),
    *(
        "/run/finetune/secrets",
        "/mnt/files",
        "/usr/../mnt",
        "/usr.",
        "/lib64x",
        "/opt/finetune-data",
        "/etc/company-ca",
        "/data/",
        "/etc/ssl",
        "/etc/ssl/certs",
        "/etc/python3.11",
        "/opt/pyca/cryptography/openssl",
    ),
)
ONCE_FOR_ALL = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def accepted(cluster: Cluster, manifest: str) -> str:
    return cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_accepted(cluster: Cluster, example) -> None:
    assert "(server dry run)" in accepted(cluster, example.read_text())


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
def test_a_kustomize_overlay_is_accepted(cluster: Cluster, overlay) -> None:
    built = cluster.kubectl("kustomize", str(overlay))
    assert yaml.safe_load(built)["metadata"]["name"].startswith("tone-")
    assert "(server dry run)" in accepted(cluster, built)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    name = "gitops"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "--wait=false", "namespace", name)


def suspended(**metadata: str) -> str:
    """An example that asks for nothing while it is looked at."""
    job = yaml.safe_load((REPOSITORY / "examples" / "tone.yaml").read_text())
    return yaml.safe_dump({**job, "metadata": metadata, "spec": {**job["spec"], "suspend": True}})


def test_what_was_applied_shows_no_difference_and_applying_again_changes_nothing(cluster: Cluster, namespace) -> None:
    """Though the API server has filled in the defaults since."""
    here = ("-n", namespace, "-f", "-")
    cluster.kubectl("apply", *here, stdin=suspended(name="tone"))
    assert "maxBadRows" in cluster.kubectl("-n", namespace, "get", "ftj", "tone", "-o", "yaml")
    assert cluster.attempt("kubectl", "diff", *here, stdin=suspended(name="tone")).returncode == 0
    cluster.kubectl("apply", *here, stdin=suspended(name="tone"))
    for _ in range(2):
        cluster.kubectl("apply", "--server-side", "--field-manager=gitops", *here, stdin=suspended(name="other"))
    generation = "jsonpath={.items[*].metadata.generation}"
    assert set(cluster.kubectl("-n", namespace, "get", "ftj", "-o", generation).split()) == {"1"}


def test_a_generated_name_makes_a_new_job_each_time(cluster: Cluster, namespace) -> None:
    create = ("create", "-n", namespace, "-o", "name", "-f", "-")
    made = {cluster.kubectl(*create, stdin=suspended(generateName="tone-")).strip() for _ in range(2)}
    assert len(made) == 2


@pytest.mark.parametrize("mistake", mistakes("schema"), ids=by_name)
def test_a_mistake_is_refused_with_its_place(cluster: Cluster, mistake: Mistake) -> None:
    text = json.dumps(mistake.manifest())  # PyYAML writes the text 1e-4 as kubectl writes a number
    done = cluster.attempt("kubectl", "create", "--dry-run=server", "-f", "-", stdin=text)
    assert done.returncode != 0
    assert mistake.told_by_server in done.stderr


@pytest.mark.parametrize("source", [{"persistentVolumeClaim": {"claimName": "a"}}, {"configMap": {"name": "a"}}])
def test_a_volume_is_refused_wherever_the_operator_would_refuse_it(cluster: Cluster, source) -> None:
    volumes = [{"name": f"v{index}", "mountPath": path, **source} for index, path in enumerate(MOUNT_PATHS)]
    manifest = good_manifest()
    manifest["spec"]["systems"][0]["volumes"] = volumes
    done = cluster.attempt("kubectl", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    refused = set(re.findall(r"(spec\.systems\[0\]\.volumes\[\d+\]\.mountPath): Invalid", done.stderr))
    assert refused == {problem.path for problem in parse(manifest["spec"])[1]}
    assert "/etc would hide what the pod has in /etc/finetune: mount it elsewhere, such as at /mnt/v7" in done.stderr


@settings(max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=ONCE_FOR_ALL)
@given(config=configs())
def test_whatever_is_imported_is_accepted(cluster: Cluster, config) -> None:
    made = imported(config).manifest
    if made is not None:
        assert "(server dry run)" in accepted(cluster, yaml.safe_dump(made))
