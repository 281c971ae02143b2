"""The loss on the tokens that count, with logits computed only for those, and where they are many not all at once.

A vocabulary of 262,144 makes the logits of a whole batch larger than everything else; a short answer needs few.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from finetune_api.resource.training import FLASH_ATTENTION
from finetune_runner.data.tokens import IGNORED
from finetune_runner.memory.shapes import LOGITS_AT_ONCE, has_plain_head

REPLACED = "original_module"
"""peft's name of the head itself where rows of it are trained; the weight with these in it would be made for a look."""
Score = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits [tokens, vocabulary] and the tokens that follow [tokens] to float32 [..., tokens]."""


def negative_log_likelihood(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Of each token, in nats."""
    return functional.cross_entropy(logits.float(), wanted, reduction="none")


def token_losses(model: Any, **batch: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood in nats of each token that counts, in reading order: float32 [tokens that count].

    Args:
        model: a causal language model of transformers, with or without an adapter.
        batch: as in `token_scores`.
    """
    return token_scores(model, negative_log_likelihood, **batch)


def token_scores(
    model: Any,
    score: Score,
    *,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    labels: torch.Tensor,
    position_ids: torch.Tensor | None = None,
) -> torch.Tensor:
    """What the logits say of each token that counts, in reading order.

    Args:
        model: a causal language model of transformers, with or without an adapter.
        score: what of the logits is wanted.
        input_ids: [batch, length].
        attention_mask: [batch, length], 0 at padding.
        labels: [batch, length], unshifted, IGNORED where a token does not count.
        position_ids: [batch, length], of packed sequences: they restart with each row, and no row sees another.

    Returns:
        float32 [..., tokens that count].
    """
    if position_ids is not None and model.config._attn_implementation == FLASH_ATTENTION:  # noqa: SLF001  it has no other name
        input_ids, labels, position_ids = in_one_row(input_ids, labels, position_ids)
    targets = labels[:, 1:]
    counts = functional.pad(targets != IGNORED, (0, 1), value=False)
    # transformers keeps packed rows apart by their positions, and only where there is no mask.
    seen = {"attention_mask": attention_mask} if position_ids is None else {"position_ids": position_ids}
    wanted = targets[counts[:, :-1]]
    head = model.get_output_embeddings()
    rows = LOGITS_AT_ONCE // getattr(head, REPLACED, head).weight.shape[0]
    in_parts = len(wanted) > rows and _is_plain(model)
    with _logits_only_where(head, counts, first_only=in_parts) as hidden:
        logits = model(input_ids=input_ids, use_cache=False, **seen).logits[0]
    if in_parts:
        mixed = any(p.dtype is torch.bfloat16 for p in model.parameters())
        return _scores_in_parts(head, score, hidden[0], wanted, rows, mixed=mixed)
    return score(logits, wanted)


def counted_logits(
    model: Any, *, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """The logits that each token that counts is predicted by, in reading order; arguments as of token_scores.

    Returns:
        [tokens that count, vocabulary], all at once.
    """
    counts = functional.pad(labels[:, 1:] != IGNORED, (0, 1), value=False)
    with _logits_only_where(model.get_output_embeddings(), counts, first_only=False):
        logits: torch.Tensor = model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits[0]
    return logits


def _is_plain(model: Any) -> bool:
    """Whether a model's logits are what its head makes of them; code that a model brings may do anything."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    known = type(inner).__module__.startswith("transformers.")
    return known and has_plain_head(inner.config.get_text_config().to_dict())


def _scores_in_parts(
    head: Any, score: Score, hidden: torch.Tensor, wanted: torch.Tensor, rows: int, *, mixed: bool
) -> torch.Tensor:
    """A part's logits are given up once its scores are known, and made again in the backward pass.

    Where the base is in bfloat16 under autocast, as accelerate has the model's own forward: what is trained is in
    float32, be it the head or what made the hidden states.
    """

    def scores(part: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with torch.autocast(hidden.device.type, torch.bfloat16, enabled=mixed):
            return score(head(part), target)

    parts = [slice(start, start + rows) for start in range(0, len(wanted), rows)]
    found = [checkpoint(scores, hidden[part], wanted[part], use_reentrant=False) for part in parts]
    return torch.cat(found, dim=-1)


def in_one_row(
    input_ids: torch.Tensor, labels: torch.Tensor, position_ids: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sequences of packed rows one behind the other, [1, batch · length]: transformers hands flash attention the rows'
    bounds only then (modeling_flash_attention_utils._is_packed_sequence).
    """
    labels = torch.cat([labels.new_full((len(labels), 1), IGNORED), labels[:, 1:]], dim=1)  # nothing predicts the first
    return input_ids.view(1, -1), labels.view(1, -1), position_ids.view(1, -1)


@contextlib.contextmanager
def _logits_only_where(head: Any, chosen: torch.Tensor, *, first_only: bool) -> Iterator[list[torch.Tensor]]:
    """Hands the output head the chosen positions only: logits come out as [1, chosen, vocabulary].

    At the head and not behind the base model, so that what a model does to its logits afterwards, such as Gemma's
    soft cap or Granite's scale, is still the model's own code.

    Args:
        head: the model's.
        chosen: positions, [batch, length].
        first_only: give it the first of them only.

    Yields:
        A list that gets what the head would have been given, [chosen, hidden].
    """
    given: list[torch.Tensor] = []

    def choose(module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:  # noqa: ARG001
        given.append(inputs[0][chosen])
        return (given[0][:1] if first_only else given[0]).unsqueeze(0), *inputs[1:]

    handle = head.register_forward_pre_hook(choose)
    try:
        yield given
    finally:
        handle.remove()
