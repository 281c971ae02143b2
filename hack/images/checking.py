"""Try a built image, as its own user and without a cluster: the full runner is too large to load for every test.

What is tried here is what only the full image can show: that the Dockerfile's install layer holds all that the passes
import. That pods run in it is what the demo shows; the cluster tests run the same code and lock in the thin image.
"""

from images import locking, storage
from images.talk import step

USER = "10001:10001"
CUDA_LIBRARIES = "/opt/cuda/onnxruntime/capi/libonnxruntime_providers_cuda.so /opt/cuda/onnxruntime_genai/*-cuda.so"
"""All they are linked to is in the image, but for the driver's own library."""
TRIALS = {
    "operator": (
        ("finetune-runner", "--help"),
        ("python", "-c", "import finetune_operator.shell, finetune_runner.prepare, kopf, kubernetes, boto3"),
        ("python", "-c", "import pyarrow.parquet, pyarrow.ipc"),
    ),
    "runner": (
        ("finetune-runner", "--help"),
        ("python", "-c", "import torch, transformers, peft, bitsandbytes, onnxruntime_genai.models.builder"),
        ("python", "-c", "import finetune_runner.passes.tune, finetune_runner.passes.evaluate"),
        ("sh", "-c", "test ! -e /etc/pip.conf"),
    ),
    "runner-cuda": (
        ("finetune-runner", "--help"),
        ("python", "-c", "import finetune_runner.passes.evaluate"),
        ("python", "-c", "import onnxruntime_genai as found; assert found.__id__.endswith('-cuda'), found.__path__"),
        ("sh", "-c", f"! ldd {CUDA_LIBRARIES} | grep 'not found' | grep -v libcuda.so.1"),
    ),
}
"""Commands that must succeed in the image, by the image's name."""


def check(name: str, reference: str) -> None:
    """Run the image's trials.

    Raises:
        ImagesError: one failed, with the end of its output.
    """
    with step(f"trying {reference}", "half a minute"), locking.using_storage():
        container = storage.buildah("from", "--pull-never", reference).strip()
        try:
            for trial in TRIALS[name]:
                storage.buildah("run", "--isolation", "chroot", "--user", USER, container, "--", *trial)
        finally:
            storage.buildah("rm", container)
