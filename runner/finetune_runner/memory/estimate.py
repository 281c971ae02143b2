"""What a lora or qlora pass holds at its peak, counted tensor by tensor.

The peak lies where the backward pass begins: every block's saved activations are there, and the logits' gradients.
What autograd saves follows from the frozen base: a frozen linear layer needs its weight alone for the gradient of its
input, so that only norms, attention, the MLP's products and the adapter keep their inputs.
"""

from dataclasses import dataclass

from finetune_api.resource.passes import Lora, QLora
from finetune_runner.memory.shapes import Linear, Shapes

FLOAT32 = 4
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


@dataclass(frozen=True)
class Batch:
    """The micro-batch with the most tokens."""

    tokens: int
    """Padding included."""
    counted: int
    """Tokens that count for the loss; only these have logits."""


@dataclass(frozen=True)
class Values:
    """How values are kept."""

    size: int
    """Bytes of an activation, and of a weight of the base that is not quantised."""
    mask: int
    """Bytes of a value's dropout mask: torch's CPU code keeps it as the type of the values, CUDA's as bool."""


ON_CPU = Values(size=FLOAT32, mask=FLOAT32)
BFLOAT16_ON_CPU = Values(size=2, mask=2)
ON_ACCELERATOR = Values(size=2, mask=1)
FLOAT32_ON_ACCELERATOR = Values(size=FLOAT32, mask=1)


@dataclass(frozen=True)
class Estimate:
    """Bytes."""

    weights: int
    adapter: int
    """With its gradient and the optimizer's state."""
    activations: int
    logits: int

    @property
    def fixed(self) -> int:
        """What no smaller micro-batch lessens."""
        return self.weights + self.adapter

    @property
    def total(self) -> int:
        return self.fixed + self.activations + self.logits


def estimate(shapes: Shapes, config: Lora, batch: Batch, values: Values) -> Estimate:
    """The peak of a tuning pass.

    Args:
        shapes: of the base model.
        config: of a lora or qlora pass.
        batch: the largest micro-batch.
        values: how they are kept.
    """
    named = {name.rpartition(".")[2] for name in config.target_modules}
    wanted = [linear for linear in shapes.linears if not named or linear.name in named]
    block = round(_block(shapes, config, wanted, values) * batch.tokens)
    working = 2 * values.size * shapes.intermediate * batch.tokens
    logits = LOGIT_COPIES * FLOAT32 * shapes.vocabulary * batch.counted
    if config.training.gradient_checkpointing:
        activations = shapes.layers * shapes.hidden * values.size * batch.tokens + block
    else:
        activations = shapes.layers * block
    return Estimate(
        weights=_weights(shapes, config, values.size),
        adapter=_adapter(shapes, config, wanted),
        activations=activations,
        logits=max(logits, working),
    )


def _weights(shapes: Shapes, config: Lora, value_bytes: int) -> int:
    if not isinstance(config, QLora):
        return (shapes.linear_weights + shapes.embedding_weights) * value_bytes
    constant = 1 + FLOAT32 / DOUBLE_QUANT_BLOCK if config.double_quant else FLOAT32
    return round(shapes.linear_weights * (0.5 + constant / NF4_BLOCK)) + shapes.embedding_weights * value_bytes


def _adapter(shapes: Shapes, config: Lora, wanted: list[Linear]) -> int:
    trained = sum(config.r * (linear.inputs + linear.outputs) for linear in wanted) * shapes.layers
    whole = {"embed_tokens", "lm_head"} & set(config.modules_to_save)
    trained += len(whole) * shapes.vocabulary * shapes.hidden
    return trained * (2 * FLOAT32 + OPTIMIZER_STATE.get(config.training.optim, 2 * FLOAT32))


def _block(shapes: Shapes, config: Lora, wanted: list[Linear], values: Values) -> int:
    """Bytes that a block saves of each token."""
    norms = FLOAT32 * shapes.hidden * (4 if shapes.four_norms else 2)
    if shapes.normed_heads:
        norms += FLOAT32 * (shapes.queries + shapes.keys)
    attention = values.size * (2 * shapes.queries + 2 * shapes.keys) + FLOAT32 * shapes.heads
    mlp = values.size * 3 * shapes.intermediate
    return norms + attention + mlp + _adapters_inputs(config, wanted, values)


def _adapters_inputs(config: Lora, wanted: list[Linear], values: Values) -> int:
    """Inputs of A and of B; with dropout each A has one of its own, and the mask of it."""
    if config.dropout:
        read = sum(linear.inputs for linear in wanted) * (values.size + values.mask)
    else:
        read = sum({linear.reads: linear.inputs for linear in wanted}.values()) * values.size
    return read + len(wanted) * config.r * values.size
