"""What modules trained in full (modulesToSave) add to what a pass holds: copies in float32, and what autograd saves.

A frozen layer needs its weight alone for the gradient of its input; a trained one needs its input too, and where types
are mixed its weight once more, cast. peft puts no adapter into a module that is trained in full.
"""

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from finetune_api.resource.passes import Tuning
from finetune_runner.memory.shapes import Linear, Norm, Shapes
from finetune_runner.memory.values import FLOAT32, Values
from finetune_runner.module_names import called

DECODERS = ("model", "model.language_model")
"""What the text's decoder is called: by itself, and in a model that reads images or sound too."""
EMBEDDING, NORM, HEAD = "embed_tokens", "norm", "lm_head"


@dataclass(frozen=True)
class Part:
    """What of one block is trained in full."""

    linears: tuple[Linear, ...] = ()
    norms: tuple[Norm, ...] = ()

    @property
    def trained(self) -> int:
        """Values."""
        return sum(linear.weights for linear in self.linears) + sum(norm.weights for norm in self.norms)


def parts(shapes: Shapes, config: Tuning) -> tuple[Part, ...]:
    """Of each block."""
    return _parts(shapes, tuple(config.modules_to_save))


def trains_whole(shapes: Shapes, name: str) -> bool:
    """Whether modulesToSave names a linear layer of a block by it, or what one lies in."""
    return any(part.linears for part in _parts(shapes, (name,)))


def has_head(config: Tuning) -> bool:
    return _is_named(HEAD, config.modules_to_save)


def trained_whole(shapes: Shapes, config: Tuning) -> int:
    """Values of all such modules."""
    names, table = config.modules_to_save, shapes.vocabulary * shapes.hidden
    others = table * (_is_of_decoder(EMBEDDING, names) + has_head(config)) + shapes.hidden * _is_of_decoder(NORM, names)
    return others + sum(part.trained for part in parts(shapes, config))


def saved_for_whole(part: Part, shapes: Shapes, tokens: int, values: Values, kept: Collection[str]) -> int:
    """Bytes that autograd saves of one block for what of it is trained in full.

    Args:
        part: that.
        shapes: of the model.
        tokens: that go through the block at once.
        values: how they are kept.
        kept: what layers read that is kept in any case.
    """
    inputs = {linear.reads: linear.inputs for linear in part.linears if linear.reads not in kept}
    normed = sum(norm.values for norm in part.norms) * (FLOAT32 if shapes.norms_in_float32 else values.size)
    cast = sum(linear.weights for linear in part.linears) * values.size if values.mixed else 0
    return tokens * (sum(inputs.values()) * values.size + normed) + cast


@functools.lru_cache(maxsize=8)
def _parts(shapes: Shapes, names: tuple[str, ...]) -> tuple[Part, ...]:
    return tuple(_part(shapes, names, block) for block in range(shapes.layers)) if names else (Part(),) * shapes.layers


def _part(shapes: Shapes, names: tuple[str, ...], block: int) -> Part:
    def is_whole(layer: Linear | Norm) -> bool:
        return _is_of_decoder(f"layers.{block}.{layer.path}", names)

    return Part(tuple(filter(is_whole, shapes.linears)), tuple(filter(is_whole, shapes.norms)))


def _is_of_decoder(path: str, names: Collection[str]) -> bool:
    return any(_is_named(f"{decoder}.{path}", names) for decoder in DECODERS)


def _is_named(path: str, names: Collection[str]) -> bool:
    """Whether a module, or one that it lies in, has one of the names, or one of them as its end behind a dot."""
    return any(called(name, _holders(path)) for name in names)


def _holders(path: str) -> Iterator[str]:
    """A module's full name, and those of what it lies in."""
    while path:
        yield path
        path = path.rpartition(".")[0]
