"""Whether a model keeps packed rows apart. Asked of the model itself: not every architecture heeds positions."""

from typing import Any

import torch

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess

FIRST, SECOND = [5, 6, 7, 8], [9, 5, 7]
"""Tokens of two rows; any will do that every vocabulary has."""


def check_packing(model: Any, preprocess: Preprocess) -> None:
    """That a packed row gets the logits it gets alone.

    Raises:
        FineTuneError: ModelUnsupported.
    """
    if preprocess.strategy == "packing" and not keeps_apart(model):
        raise FineTuneError(
            Reason.MODEL_UNSUPPORTED,
            f"{model.config.model_type} models let packed rows see each other",
            remedy="Set strategy: line-by-line, or join.",
            path="spec.dataConfigs",
        )


@torch.no_grad()
def keeps_apart(model: Any) -> bool:
    """Whether the second of two packed rows is the same to the model as the row by itself."""
    was_training = model.training
    model.eval()
    device = model.device
    alone = model(input_ids=torch.tensor([SECOND], device=device), use_cache=False).logits[0]
    positions = [*range(len(FIRST)), *range(len(SECOND))]
    packed = model(
        input_ids=torch.tensor([FIRST + SECOND], device=device),
        position_ids=torch.tensor([positions], device=device),
        use_cache=False,
    ).logits[0, len(FIRST) :]
    model.train(was_training)
    rough = 1e-3 if alone.dtype is torch.float32 else 5e-2
    return bool(torch.allclose(alone.float(), packed.float(), atol=rough * float(alone.float().abs().max())))
