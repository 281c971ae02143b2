"""What a tuning pass holds at its peak, counted tensor by tensor.

The peak lies where the backward pass begins: every block's saved activations are there, and the logits' gradients; or,
with checkpointing, where the first block is computed again.
What autograd saves follows from the frozen base: a frozen linear layer needs its weight alone for the gradient of its
input, so that only norms, attention, the MLP's products, the adapter and what is trained in full keep their inputs.
"""

from dataclasses import dataclass

from finetune_api.resource.passes import LoftQ, QLora, Tuning
from finetune_api.resource.training import EAGER, FLASH_ATTENTION
from finetune_runner.memory.adapters import (
    adapted,
    inputs_kept,
    needed_meanwhile,
    new_tokens,
    saved_for_adapters,
    trained,
)
from finetune_runner.memory.shapes import LOGITS_AT_ONCE, Shapes
from finetune_runner.memory.values import FLOAT32, Values
from finetune_runner.memory.whole import has_head, parts, saved_for_whole, trained_whole

NF4_BLOCK = 64
DOUBLE_QUANT_BLOCK = 256
"""Of bitsandbytes: weights that share a constant, and constants that share one."""
OPTIMIZER_STATE = {
    "adamw_bnb_8bit": 2,
    "paged_adamw_8bit": 2,
    "lion_32bit": 4,
    "paged_lion_32bit": 4,
    "lion_8bit": 1,
    "paged_lion_8bit": 1,
    "adagrad": 4,
    "rmsprop": 4,
    "sgd": 0,
    "adafactor": 0,
}
"""Bytes an optimizer keeps for a trained value; AdamW's two float32 where nothing is said."""
LOGIT_COPIES = 3
"""Log-probabilities, their gradient and that of the logits, in float32."""

TABLES = 2
"""Of an output head that is made for a forward pass: itself, which its product saves, and its gradient."""


@dataclass(frozen=True)
class Batch:
    """The micro-batch with the most tokens."""

    tokens: int
    """Padding included."""
    counted: int
    """Tokens that count for the loss; only these have logits."""
    masked: int = 0
    """Bytes of the attention's mask; where there is none, keys and values are not repeated for each head."""
    longest: int = 0
    """Tokens of the longest sequence, which matter where attention's weights are kept; padding included."""


@dataclass(frozen=True)
class Estimate:
    """Bytes."""

    weights: int
    adapter: int
    """With its gradient and the optimizer's state."""
    activations: int
    logits: int
    """Or what the first block's backward pass needs beside the activations, where that is more."""

    @property
    def fixed(self) -> int:
        """What no smaller micro-batch lessens."""
        return self.weights + self.adapter

    @property
    def total(self) -> int:
        return self.fixed + self.activations + self.logits


def estimate(
    shapes: Shapes, config: Tuning, batch: Batch, values: Values, *, checkpointing: bool | None = None
) -> Estimate:
    """The peak of a tuning pass.

    Args:
        shapes: of the base model.
        config: of the pass.
        batch: the largest micro-batch.
        values: how they are kept.
        checkpointing: whether blocks keep their input only, and compute the rest anew in the backward pass; None: as
            the config says, and no where it does not.
    """
    checkpointing = bool(config.training.gradient_checkpointing) if checkpointing is None else checkpointing
    plain = batch.tokens * _block(shapes, config, batch, values)
    blocks = [
        plain
        + saved_for_adapters(config, wanted, batch.tokens, values)
        + saved_for_whole(whole, shapes, batch.tokens, values, inputs_kept(config, wanted, values))
        for wanted, whole in zip(adapted(shapes, config), parts(shapes, config), strict=True)
    ]
    if checkpointing:
        kept, again = shapes.layers * shapes.hidden * values.size * batch.tokens, max(blocks)
    else:
        kept, again = sum(blocks), 0
    backward = again + _working(shapes, config, batch, values)
    return Estimate(
        weights=_weights(shapes, config, values.size),
        adapter=_adapter(shapes, config),
        activations=kept + batch.masked,
        # the logits are gone before the first block's turn
        logits=max(_logits(shapes, batch, values) + TABLES * _table(shapes, config, values), backward),
    )


def _weights(shapes: Shapes, config: Tuning, value_bytes: int) -> int:
    if not isinstance(config, (QLora, LoftQ)):
        return (shapes.linear_weights + shapes.embedding_weights) * value_bytes
    double = isinstance(config, QLora) and config.double_quant
    constant = 1 + FLOAT32 / DOUBLE_QUANT_BLOCK if double else FLOAT32
    return round(shapes.linear_weights * (0.5 + constant / NF4_BLOCK)) + shapes.embedding_weights * value_bytes


def _adapter(shapes: Shapes, config: Tuning) -> int:
    return _trained_values(shapes, config) * FLOAT32 + checkpoint_bytes(shapes, config)


def checkpoint_bytes(shapes: Shapes, config: Tuning) -> int:
    """What a checkpoint takes: all that is trained, and the optimizer's state."""
    state = OPTIMIZER_STATE.get(config.training.optim, 2 * FLOAT32)
    return _trained_values(shapes, config) * (FLOAT32 + state)


def _trained_values(shapes: Shapes, config: Tuning) -> int:
    values = sum(trained(config, wanted) for wanted in adapted(shapes, config))
    values += trained_whole(shapes, config)
    return values + len(new_tokens(config)) * shapes.hidden * (1 if shapes.tied else 2)


def _block(shapes: Shapes, config: Tuning, batch: Batch, values: Values) -> int:
    """Bytes that a block without adapters saves of each token."""
    norms = FLOAT32 * sum(norm.values for norm in shapes.norms)
    eager = _is_eager(shapes, config)
    seen = shapes.queries if batch.masked or eager else shapes.keys
    attention = values.size * (2 * shapes.queries + 2 * seen)
    attention += shapes.heads * (batch.longest * _attention_weight(shapes, values) if eager else FLOAT32)
    if not eager and not (values.fused_for_grouped_heads or batch.masked) and shapes.keys < shapes.queries:
        attention += FLOAT32 * shapes.heads * batch.longest + values.size * 2 * (shapes.queries - shapes.keys)
    if shapes.fused:  # query and key, besides those that know their position
        attention += values.size * (shapes.queries + shapes.keys)
    mlp = values.size * 3 * shapes.intermediate
    return norms + attention + mlp


def _is_eager(shapes: Shapes, config: Tuning) -> bool:
    """Whether attention's weights, of each pair of tokens in each head, are made as tensors."""
    asked = config.training.attn_implementation
    return asked == EAGER or (shapes.capped_attention and asked != FLASH_ATTENTION)


def _attention_weight(shapes: Shapes, values: Values) -> int:
    """Bytes of one: softmax's, in float32; that which the product with the values reads, cast; tanh's where it caps."""
    return FLOAT32 + (values.size if values.mixed else 0) + (values.size if shapes.capped_attention else 0)


def _logits(shapes: Shapes, batch: Batch, values: Values) -> int:
    """Bytes; of many a part at a time, beside the hidden states they are made from."""
    made, hidden = shapes.vocabulary * batch.counted, 0
    if shapes.plain_head and made > LOGITS_AT_ONCE:
        made, hidden = LOGITS_AT_ONCE, 2 * shapes.hidden * batch.counted * values.size
    return LOGIT_COPIES * FLOAT32 * made + hidden


def _table(shapes: Shapes, config: Tuning, values: Values) -> int:
    """Bytes of an output head that each forward pass makes: with new tokens' rows put in, or cast from float32."""
    made = new_tokens(config) or (values.mixed and has_head(config))
    return shapes.vocabulary * shapes.hidden * values.size if made else 0


def _working(shapes: Shapes, config: Tuning, batch: Batch, values: Values) -> int:
    """Bytes that the largest layer's backward pass needs meanwhile, with its 4-bit weight unpacked."""
    unpacked = max(x.weights for x in shapes.linears) * values.size if isinstance(config, (QLora, LoftQ)) else 0
    change = max(needed_meanwhile(config, wanted) for wanted in adapted(shapes, config))
    mlp = 2 * values.size * shapes.intermediate
    weights = 2 * FLOAT32 * shapes.heads * batch.longest if _is_eager(shapes, config) else 0  # softmax's two gradients
    return max(mlp, weights) * batch.tokens + unpacked + change
