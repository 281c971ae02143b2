"""Where a system's volumes may be mounted: nowhere that replaces what its pods run or read."""

from typing import Any

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse
from finetune_operator.settings import Settings, SettingsError

FILES = {"configMap": {"name": "files"}}
CLAIM = {"persistentVolumeClaim": {"claimName": "files"}}


def findings(path: str, source: dict[str, Any]) -> list[str]:
    volume = {"name": "files", "mountPath": path, **source}
    systems = [{"name": "gpu", "accelerator": {}, "volumes": [volume]}, {"name": "cpu"}]
    return [str(problem) for problem in parse(wire_spec(systems=systems))[1]]


@pytest.mark.parametrize(
    ("path", "met"),
    [
        ("/opt/finetune/lib", "/opt/finetune"),
        ("/opt/venv/lib/python3.12/site-packages", "/opt/venv"),
        ("/usr/local/lib", "/usr"),
        ("/lib64", "/lib64"),
        ("/etc/finetune", "/etc/finetune"),
        ("/etc", "/etc/finetune"),
        ("/run/finetune/secrets", "/run/finetune"),
        ("/work/home", "/work"),
        ("/dev/shm", "/dev"),
        ("/proc/self", "/proc"),
        ("/etc/ssl", "/etc/ssl/openssl.cnf"),
        ("/etc/python3.11", "/etc/python3.11"),
        ("/opt/pyca/cryptography/openssl", "/opt/pyca"),
        ("/", "/bin"),
        ("//opt//./finetune/", "/opt/finetune"),
        ("/mnt/../opt", "/opt/finetune"),
    ],
)
def test_a_volume_that_hides_what_the_pod_has_is_refused(path: str, met: str) -> None:
    assert findings(path, CLAIM) == [
        f"spec.systems[0].volumes[0].mountPath: {path} would hide what the pod has in {met}"
        " (mount it elsewhere, such as at /mnt/files)"
    ]


@pytest.mark.parametrize(
    "path", ["/mnt/files", "/opt/finetune-data", "/etc/company-ca", "/etc/ssl/certs", "/var/cache/huggingface", "/data"]
)
def test_any_other_place_is_free(path: str) -> None:
    assert findings(path, FILES) == []


def test_the_environment_of_an_image_without_one_may_be_a_claim_and_nothing_else() -> None:
    assert findings("/opt/venv", CLAIM) == []
    assert len(findings("/opt/venv", FILES)) == 1


def test_what_every_job_gets_is_held_to_the_same() -> None:
    images = {"FINETUNE_OPERATOR_IMAGE": "operator:1", "FINETUNE_RUNNER_IMAGE": "runner:1"}
    system = '{"volumes": [{"name": "ca", "mountPath": "/usr/share", "configMap": {"name": "ca"}}]}'
    with pytest.raises(SettingsError, match=r"defaultSystem.volumes\[0\].mountPath: /usr/share would hide"):
        Settings.from_environment(images | {"FINETUNE_DEFAULT_SYSTEM": system})
