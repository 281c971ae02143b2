"""Whether the accelerator that a system asks for is there; and that a CPU system sees none."""

import os

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.systems import System


def ready(system: System, index: int) -> None:
    """To be called before torch is imported or anything is downloaded.

    Args:
        system: of the stage.
        index: its position in spec.systems.

    Raises:
        FineTuneError: AcceleratorUnavailable, when there are fewer devices than the system asks for.
    """
    if system.accelerator is None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    found = _device_count()
    wanted = system.accelerator
    if found < wanted.count:
        raise FineTuneError(
            Reason.ACCELERATOR_UNAVAILABLE,
            f"system {system.name!r} asks for {wanted.count} {wanted.resource_name}, but the pod sees {found}"
            " accelerator devices",
            remedy="Check the device plugin and the node's driver; or remove accelerator to run on the CPU"
            " (finetune run: --no-accelerator).",
            path=f"spec.systems[{index}].accelerator",
        )


def _device_count() -> int:
    import torch  # noqa: PLC0415  seconds

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
