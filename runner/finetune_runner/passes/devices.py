"""Which device a pass computes on, in which type, and how it multiplies."""

import contextlib
import logging
from collections.abc import Iterator

import torch
from transformers.utils import is_flash_attn_2_available

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.training import FLASH_ATTENTION

log = logging.getLogger(__name__)

CPU = "cpu"
CUDA = "cuda"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
AUTO = "auto"


def device_for(*, accelerator: bool) -> str:
    """The accelerator where the system has one, else the CPU, even where a device happens to be visible.

    Raises:
        FineTuneError: AcceleratorUnavailable, the system asks for an accelerator and torch sees none.
    """
    if not accelerator:
        return CPU
    if torch.cuda.is_available():
        return CUDA
    raise FineTuneError(
        Reason.ACCELERATOR_UNAVAILABLE,
        "the system has an accelerator, but torch finds no CUDA device in the pod",
        remedy="Use a CUDA runner image, check the node's driver and device plugin, or choose a system without one.",
        path="spec.systems",
    )


def dtype_for(name: str, device: str) -> torch.dtype:
    """The type the base's weights have while computing; auto: bfloat16 on an accelerator that has it, else float32.

    Before NVIDIA's Ampere bfloat16 is emulated, slower than float32. On a CPU auto is float32 even where that has
    bfloat16: what comes out must not depend on the node that a pod, or the one that resumes it, happens to be on.
    """
    if name == AUTO:
        return torch.bfloat16 if device == CUDA and _computes_bfloat16(device) else torch.float32
    chosen = DTYPES[name]
    if chosen is torch.bfloat16 and not _computes_bfloat16(device):
        log.warning("this device has no instructions for bfloat16: training is slower than with dtype: float32")
    return chosen


def _computes_bfloat16(device: str) -> bool:
    if device == CUDA:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has = torch.cpu.get_capabilities()
    return any(has.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16"))


def attention_for(name: str, path: str) -> str | None:
    """What transformers is to load a model with; None: its own choice, sdpa where the model has it.

    Args:
        name: of the spec.
        path: where it stands there.

    Raises:
        FineTuneError: InvalidSpec, its package is not installed.
    """
    if name == FLASH_ATTENTION and not is_flash_attn_2_available():
        raise FineTuneError(
            Reason.INVALID_SPEC,
            "flash_attention_2 needs the package flash-attn and an NVIDIA GPU, and the pod lacks one of them",
            remedy="Use sdpa, whose kernels come with PyTorch, or an image with flash-attn.",
            path=path,
        )
    return None if name == AUTO else name


@contextlib.contextmanager
def float32_products(wanted: bool | None, device: str, path: str) -> Iterator[None]:
    """Multiplies float32 matrices rounded to TF32's 10 bits of mantissa, or not; afterwards it is as it was.

    NVIDIA's Ampere and later do so several times faster: https://docs.pytorch.org/docs/stable/notes/cuda.html

    Args:
        wanted: None for yes where the device can.
        device: cpu or cuda.
        path: where it stands in the spec.

    Raises:
        FineTuneError: InvalidSpec, it is wanted and the device can't.
    """
    can = device == CUDA and torch.version.cuda is not None and torch.cuda.get_device_capability()[0] >= AMPERE
    if wanted and not can:
        remedy = "Leave tf32 out."
        raise FineTuneError(Reason.INVALID_SPEC, "TF32 needs an NVIDIA GPU, Ampere or later", remedy=remedy, path=path)
    products = torch.backends.cuda.matmul
    before = products.fp32_precision
    products.fp32_precision = "tf32" if can and wanted is not False else "ieee"
    try:
        yield
    finally:
        products.fp32_precision = before


AMPERE = 8
"""Major compute capability of the first NVIDIA GPUs with TF32 and bfloat16."""
