"""What an adapter adds to what a block holds: its values, and what autograd saves for them.

Counted from peft 0.21's forward methods. `wanted` are the layers of a block that have an adapter.
"""

from collections.abc import Collection, Iterable, Sequence

from finetune_api.resource.passes import Dora, LoKr, Lora, Lycoris, Tuning
from finetune_runner.memory.shapes import HEADS, Linear, Shapes
from finetune_runner.memory.values import FLOAT32, Values
from finetune_runner.memory.whole import parts

DELTA_COPIES = 3
"""Of a weight's change in float32, while a layer's product with it is made or its gradient is."""


def adapted(shapes: Shapes, config: Tuning) -> list[tuple[Linear, ...]]:
    """The layers that have an adapter, of each block; peft gives none to what is trained in full."""
    wanted, blocks = _wanted(shapes, config), _blocks(shapes, config)
    return [
        tuple(linear for linear in wanted if linear not in part.linears) if block in blocks else ()
        for block, part in enumerate(parts(shapes, config))
    ]


def new_tokens(config: Tuning) -> list[str]:
    """Tokens whose embedding is trained."""
    return config.new_tokens if isinstance(config, Lora) else []


def trained(config: Tuning, wanted: Sequence[Linear]) -> int:
    """Values that a block's adapters have."""
    return sum(_trained(config, linear) for linear in wanted)


def saved_for_adapters(config: Tuning, wanted: Sequence[Linear], tokens: int, values: Values) -> int:
    """Bytes that autograd saves of a block; tokens: that go through it at once."""
    return tokens * _saved_of_each_token(config, wanted, values) + _saved_in_any_case(config, wanted, values)


def _saved_of_each_token(config: Tuning, wanted: Sequence[Linear], values: Values) -> int:
    """Bytes: inputs of the factors, dropped or cast copies included, and outputs that DoRA scales."""
    read = _inputs(config, wanted, values)
    if isinstance(config, Lora):
        read += len(wanted) * config.r * values.size
    if isinstance(config, Dora):  # what base and adapter put out
        read += 2 * sum(linear.outputs for linear in wanted) * values.size
    return read


def _saved_in_any_case(config: Tuning, wanted: Sequence[Linear], values: Values) -> int:
    """Bytes of a block that do not depend on its tokens."""
    saved = trained(config, wanted) * values.size if values.mixed else 0
    if isinstance(config, Lycoris):  # the change of each weight
        saved += sum(linear.weights for linear in wanted) * values.size
    if isinstance(config, Dora):  # B·A is made by sending the unit matrix through both
        saved += sum(linear.inputs * (linear.inputs + config.r) for linear in wanted) * values.size
        if values.mixed and config.dropout:  # then the base's product is made once more, with weights cast from float32
            saved += sum(linear.weights for linear in wanted) * values.size
    return saved


def inputs_kept(config: Tuning, wanted: Sequence[Linear], values: Values) -> set[str]:
    """What layers read that is kept as it is, by attention or for an adapter."""
    return {HEADS, *(linear.reads for linear in wanted if _shares_inputs(config, values))}


def needed_meanwhile(config: Tuning, wanted: Sequence[Linear]) -> int:
    """Bytes of the largest layer's change while it is made."""
    if isinstance(config, (Dora, Lycoris)):
        return DELTA_COPIES * FLOAT32 * max((linear.weights for linear in wanted), default=0)
    return 0


def factorization(dimension: int, factor: int = -1) -> tuple[int, int]:
    """Two numbers whose product is `dimension`, the smaller first, as peft's LoKr chooses them.

    Args:
        dimension: to be split.
        factor: the smaller one, where that divides; else its bound; -1: as near to a square as can be.
    """
    if factor > 0 and dimension % factor == 0:
        return factor, dimension // factor
    bound = dimension if factor == -1 else factor
    small = max(n for n in range(1, min(bound, int(dimension**0.5)) + 1) if dimension % n == 0)
    return small, dimension // small


def _wanted(shapes: Shapes, config: Tuning) -> list[Linear]:
    named = _last_parts(config.target_modules)
    left_out = _last_parts(config.exclude_modules) if isinstance(config, Lycoris) else set()
    return [x for x in shapes.linears if (not named or x.name in named) and x.name not in left_out]


def _blocks(shapes: Shapes, config: Tuning) -> Collection[int]:
    chosen = config.layers_to_transform if isinstance(config, Lycoris) else []
    return set(chosen) or range(shapes.layers)


def _trained(config: Tuning, linear: Linear) -> int:
    if isinstance(config, LoKr):
        return _kronecker(config, linear)
    factors = config.r * (linear.inputs + linear.outputs)
    if isinstance(config, Lycoris):
        return 2 * factors
    return factors + linear.outputs if isinstance(config, Dora) else factors


def _kronecker(config: LoKr, linear: Linear) -> int:
    """As peft's LoKrLayer.update_layer: each of the two factors is whole, or low-rank where that is smaller."""
    left, right = (factorization(n, config.decompose_factor) for n in (linear.outputs, linear.inputs))
    small, large = (left[0], right[0]), (left[1], right[1])
    low = config.decompose_both and config.r < max(small) / 2
    first = config.r * sum(small) if low else small[0] * small[1]
    return first + (config.r * sum(large) if config.r < max(large) / 2 else large[0] * large[1])


def _inputs(config: Tuning, wanted: Sequence[Linear], values: Values) -> int:
    if not _shares_inputs(config, values):
        mask = values.mask if isinstance(config, Lora) and config.dropout else 0
        return sum(linear.inputs for linear in wanted) * (values.size + mask)
    shared = {linear.reads: linear.inputs for linear in wanted if linear.reads != HEADS}
    return sum(shared.values()) * values.size


def _shares_inputs(config: Tuning, values: Values) -> bool:
    """With dropout each adapter has an input of its own, and the mask of it; so it has where types are mixed."""
    return not (isinstance(config, Lora) and config.dropout) and not (values.mixed and isinstance(config, (Lora, LoKr)))


def _last_parts(names: Iterable[str]) -> set[str]:
    return {name.rpartition(".")[2] for name in names}
