"""Variables that lead a real process to an author's code, of which none gets through to the pod with the key."""

import subprocess
import sys
from pathlib import Path

import pytest

from api_specs import spec_of
from finetune_api.messages import JobDocument
from finetune_api.plan import plan
from finetune_operator.manifests.job import build_prepare_job, build_stage_job
from operator_world import SETTINGS, UID

LOGIN = "import botocore.session; botocore.session.get_session().get_credentials()"
PYTHON = (sys.executable, "-c", "pass")
BOTO = (sys.executable, "-c", LOGIN)
OPENSSL = (sys.executable, "-c", "import ssl")
LIBRARY = """
#include <stdio.h>
__attribute__((constructor)) static void run(void) { fclose(fopen("MARK", "w")); }
int OSSL_provider_init(void *a, void *b, void **c, void **d) { return 0; }
"""
FILES = {
    "sitecustomize.py": "open('MARK', 'w')\n",
    "profile": "[default]\ncredential_process = touch MARK\n",
    ".aws/config": "[default]\ncredential_process = touch MARK\n",
    "finetune-runner": "#!/bin/sh\ntouch MARK\n",
    "openssl.cnf": "openssl_conf = a\n[a]\nproviders = b\n[b]\nown = c\n[c]\nmodule = FOLDER/own.so\nactivate = 1\n",
    "own.c": LIBRARY,
}
ATTACKS = [
    ("PYTHONPATH", "FOLDER", PYTHON),
    ("AWS_CONFIG_FILE", "FOLDER/profile", BOTO),
    ("AWS_SHARED_CREDENTIALS_FILE", "FOLDER/profile", BOTO),
    ("HOME", "FOLDER", BOTO),
    ("PATH", "FOLDER:/usr/bin:/bin", ("finetune-runner", "prepare")),
    ("LD_PRELOAD", "FOLDER/own.so", PYTHON),
    ("OPENSSL_CONF", "FOLDER/openssl.cnf", OPENSSL),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a volume of the author's holds: code that leaves a mark when it runs."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("MARK", f"{tmp_path}/mark").replace("FOLDER", str(tmp_path)))
        file.chmod(0o755)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "own.so", tmp_path / "own.c"], check=True)
    return tmp_path


def environments(variable: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Of a pod that runs a pass and of prepare's, both of a system with the variable."""
    systems = [{"name": "gpu", "env": [variable]}, {"name": "cpu"}]
    signing = {"keySecretRef": {"name": "key", "key": "k"}}
    output = {"s3": {"uri": "s3://models/out"}, "signing": signing}
    spec = spec_of(systems=systems, prepare={"system": "gpu"}, output=output)
    document = JobDocument(namespace="team", name="tone", uid=UID, spec=spec)
    stage = build_stage_job(document, plan(spec).stages[0], 1, SETTINGS, None)
    pods = [job["spec"]["template"]["spec"] for job in (stage, build_prepare_job(document, 1, SETTINGS, None))]
    given = [{v["name"]: v["value"] for v in pod["containers"][0]["env"] if "value" in v} for pod in pods]
    return given[0], given[1]


def marks(folder: Path, command: tuple[str, ...], environment: dict[str, str]) -> bool:
    """Whether the author's code runs, where a process begins with the environment."""
    own = {"PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        subprocess.run(command, env=own | environment, cwd="/", capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        assert command[0] == "finetune-runner"
    mark = folder / "mark"
    found = mark.exists()
    mark.unlink(missing_ok=True)
    return found


@pytest.mark.parametrize(("name", "value", "command"), ATTACKS, ids=[name for name, *_ in ATTACKS])
def test_a_variable_that_runs_code_where_a_pass_runs_runs_none_beside_the_key(folder, name, value, command) -> None:
    in_stage, in_prepare = environments({"name": name, "value": value.replace("FOLDER", str(folder))})
    assert marks(folder, command, in_stage)
    assert not marks(folder, command, in_prepare)
