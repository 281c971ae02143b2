"""Names of the model's modules in the spec, looked up in the shapes that config.json tells, before a GPU is asked for.

What a pass looks up in the model itself (training/adapter.py) it would refuse too, in the same words.
"""

from collections.abc import Iterator, Sequence

from finetune_api.plan import BASE, input_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import LoftQ, Lycoris, QLora, Tuning
from finetune_runner.memory.shapes import Shapes
from finetune_runner.memory.whole import DECODERS, HEAD, trains_whole
from finetune_runner.module_names import called, in_four_bits, not_there


def check_module_names(spec: FineTuneJobSpec, shapes: Shapes) -> None:
    """That what passes on the input model call linear layers are some, and what they train in full is not in 4 bits.

    Raises:
        FineTuneError: InvalidSpec.
    """
    layers = list(_linear_layers(shapes))
    for index, step in enumerate(spec.passes):
        config = step.config
        if not isinstance(config, Tuning) or input_name(spec, index) != BASE:
            continue
        path = f"spec.passes[{index}].{step.variant_alias}"
        _require(config.target_modules, layers, f"{path}.targetModules")
        if isinstance(config, Lycoris):
            _require(config.exclude_modules, layers, f"{path}.excludeModules")
        if isinstance(config, (QLora, LoftQ)):
            for place, name in enumerate(config.modules_to_save):
                if trains_whole(shapes, name):
                    raise in_four_bits(name, f"{path}.modulesToSave[{place}]")


def _linear_layers(shapes: Shapes) -> Iterator[str]:
    for decoder in DECODERS:
        for block in range(shapes.layers):
            yield from (f"{decoder}.layers.{block}.{linear.path}" for linear in shapes.linears)
    if not shapes.tied:
        yield HEAD


def _require(wanted: Sequence[str], layers: Sequence[str], path: str) -> None:
    for place, name in enumerate(wanted):
        if not called(name, layers):
            raise not_there("linear layer", name, layers, f"{path}[{place}]")
