"""The model's repeated blocks, compiled by torch.compile."""

import os
import shutil
from typing import Any

from accelerate.utils.other import is_repeated_blocks

from finetune_api.failures import FineTuneError, Reason

INDUCTOR = "inductor"
COMPILERS = ("cc", "gcc", "clang")


def compile_blocks(model: Any, path: str, *, backend: str = INDUCTOR) -> None:
    """Compiles each block in place, so that one compilation serves all of them, and names of weights stay.

    Not the model as a whole, as transformers' torch_compile does: what lies behind the blocks is a small part of the
    time, and the loss hands the output head other positions each time, which a compiled model would not heed.

    Args:
        model: with its adapter.
        path: where this was asked for in the spec.
        backend: of torch.compile.

    Raises:
        FineTuneError: InvalidSpec, there is no C compiler, which Triton needs to launch its kernels.
    """
    if not os.environ.get("CC") and not any(map(shutil.which, COMPILERS)):
        raise FineTuneError(
            Reason.INVALID_SPEC,
            "torch.compile needs a C compiler, and the image has none",
            remedy="Use a runner image with gcc and libc6-dev installed on top, or leave torchCompile out.",
            path=path,
        )
    for blocks in (part for part in model.modules() if is_repeated_blocks(part)):
        for block in blocks:
            block.compile(backend=backend, dynamic=True)  # batches are as long as their longest sequence
