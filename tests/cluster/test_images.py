"""The operator's image is small and without rights; the thin runner carries the same code as the full one."""

import pytest

from cluster_access import Cluster, until
from cluster_operator import DEPLOYMENT
from cluster_setup import OPERATOR_NAMESPACE

MEBIBYTE = 2**20
OPERATOR_MEBIBYTES = 500
REPORT_SECONDS = 60


def in_operator(cluster: Cluster, code: str) -> str:
    """What a line of Python prints inside the operator's container."""
    return cluster.kubectl("-n", OPERATOR_NAMESPACE, "exec", DEPLOYMENT, "--", "python", "-c", code).strip()


@pytest.mark.parametrize("module", ["torch", "transformers", "peft", "onnxruntime_genai"])
def test_the_operators_image_has_no_machine_learning_stack(cluster: Cluster, module: str) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec({module!r}))"
    assert in_operator(cluster, code) == "None"


def test_the_operators_image_can_prepare(cluster: Cluster) -> None:
    modules = "finetune_runner.prepare, boto3, huggingface_hub, tokenizers, pyarrow.parquet, pyarrow.ipc"
    assert in_operator(cluster, f"import {modules}; print('ok')") == "ok"


def test_the_operator_does_not_run_as_root(cluster: Cluster) -> None:
    assert in_operator(cluster, "import os; print(os.getuid(), os.getgid())") == "10001 10001"


def test_nothing_can_be_written_into_the_operators_image(cluster: Cluster) -> None:
    code = "import os; print([path for path in ('/', '/opt', '/opt/venv', '/usr', '/etc') if os.access(path, os.W_OK)])"
    assert in_operator(cluster, code) == "[]"


def bytes_on_node(cluster: Cluster, image: str) -> int | None:
    """Size of an image as the node reports it, soon after it was loaded; a node keeps the images of other versions."""
    (node,) = cluster.get("nodes")["items"]
    sizes = {name: found["sizeBytes"] for found in node["status"]["images"] for name in found["names"] or ()}
    return sizes.get(image)


def test_the_operators_image_is_small(cluster: Cluster) -> None:
    deployed = cluster.get("-n", OPERATOR_NAMESPACE, DEPLOYMENT)
    (container,) = deployed["spec"]["template"]["spec"]["containers"]
    size = until(lambda: bytes_on_node(cluster, container["image"]), REPORT_SECONDS, "the node reports the image")
    assert size < OPERATOR_MEBIBYTES * MEBIBYTE
