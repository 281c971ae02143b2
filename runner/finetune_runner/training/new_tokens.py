"""Rows of the embedding and of the output head for tokens that the base has none of, trained by peft's TrainableTokens.

They start from the mean of the others, so that the model's next-token distribution hardly changes before they are
trained (Hewitt 2021, https://www.cs.columbia.edu/~johnhew/vocab-expansion.html).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from peft.utils.other import TrainableTokensWrapper

from finetune_api.failures import FineTuneError, Reason


def make_room(model: Any, ids: Sequence[int], path: str) -> dict[str, list[int]]:
    """Gives new tokens their rows, and these the mean of those of all tokens before.

    Args:
        model: the base, without an adapter; is changed.
        ids: of the new tokens; empty: nothing is done.
        path: where they stand in the spec.

    Returns:
        Name of each module that has rows of its own for them to their ids, as peft's trainable_token_indices want it.

    Raises:
        FineTuneError: ModelUnsupported, the output head has a bias, which peft's TrainableTokens leave out.
    """
    if not ids:
        return {}
    head = model.get_output_embeddings()
    if getattr(head, "bias", None) is not None:
        message = "the model's output head has a bias, beside which no new tokens can be trained"
        remedy = "Leave newTokens out, or use a model whose output head has none."
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy, path=path)
    grow(model, ids)
    layers = {id(layer.weight): layer for layer in (model.get_output_embeddings(), model.get_input_embeddings())}
    for layer in layers.values():
        start_from_mean(layer.weight, ids)
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(layer)]: list(ids) for layer in layers.values()}


def grow(model: Any, ids: Sequence[int]) -> None:
    """Adds rows where there are too few, with anything in them; many models have some to spare."""
    if max(ids) >= model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(max(ids) + 1, mean_resizing=False)


@torch.no_grad()
def start_from_mean(weight: torch.Tensor, ids: Sequence[int]) -> None:
    """Sets the rows of new tokens to the mean of all rows before, in float32.

    Args:
        weight: [tokens, hidden].
        ids: of the new tokens, which follow all others.
    """
    weight[list(ids)] = weight[: min(ids)].mean(0, dtype=torch.float32).to(weight.dtype)


def load_adapter(model: Any, directory: Path) -> Any:
    """A base with a trained adapter, and with its new tokens' rows in place.

    These are merged into the embedding at once: beside it, peft copies all of it for each token that is generated.

    Args:
        model: the base, without an adapter; is changed.
        directory: of the adapter.
    """
    indices = getattr(PeftConfig.from_pretrained(directory), "trainable_token_indices", None)
    if indices:
        grow(model, [row for rows in (indices.values() if isinstance(indices, dict) else [indices]) for row in rows])
    adapted = PeftModel.from_pretrained(model, directory)
    for module in adapted.modules():
        if isinstance(module, TrainableTokensWrapper):
            module.token_adapter.merge()
    return adapted
