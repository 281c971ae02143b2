"""Which device a pass computes on, and in which type."""

import torch

from finetune_api.failures import FineTuneError, Reason

CPU = "cpu"
CUDA = "cuda"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


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
    """The type the base's weights have while computing; auto: bfloat16 on an accelerator that has it, else float32."""
    if name == "auto":
        has_bfloat16 = device == CUDA and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if has_bfloat16 else torch.float32
    return DTYPES[name]
