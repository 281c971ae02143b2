"""Embeddings that an adapter trains or brings along: tied ones that then differ, and a vocabulary of another size."""

from collections.abc import Mapping
from typing import Any

from finetune_runner.passes.merging.adapter_weights import AdapterWeights
from finetune_runner.passes.merging.another_base import another_base
from finetune_runner.passes.merging.tensor_file import Made, Stored
from finetune_runner.passes.merging.unfit import UnfitError


def stored_names(model: Any, base: Mapping[str, Stored]) -> dict[str, str]:
    """Each parameter's name to the one it is stored by, which of tied ones is the same."""
    names = {name: name for name in model.state_dict()}
    for target, source in model.all_tied_weights_keys.items():
        kept = target if target in base else source
        names |= {target: kept, source: kept}
    return names


def untied(
    model: Any, base: Mapping[str, Stored], changed: dict[str, Made], adapter: AdapterWeights
) -> dict[str, dict[str, Stored | Made]]:
    """Tied weights of which one was trained apart from the other, so that both must be stored.

    A weight that the adapter only brings along, since there are more tokens, stays tied.

    Args:
        model: without weights; its config is told that they are tied no more.
        base: the stored weights.
        changed: what becomes of weights; of tied ones that stay so, only the one that is stored is left in it.
        adapter: the adapter.

    Returns:
        A stored weight's name to the other one, with its name, to be written after it.

    Raises:
        UnfitError: it can't be told.
    """
    found: dict[str, dict[str, Stored | Made]] = {}
    pairs = model.all_tied_weights_keys
    for target, source in pairs.items():
        kept, other = (target, source) if target in base else (source, target)
        if not any(adapter.trains(name) for name in (kept, other)):
            if other in changed:
                changed[kept] = _same(changed.pop(other), changed.get(kept), kept)
            continue
        if adapter.rows.keys() & {kept, other}:
            raise UnfitError(f"{kept} and {other} are tied, and the adapter has rows of one and changes the other")
        if len(pairs) > 1:
            raise UnfitError(f"{kept} was trained apart from {other}, and more weights are tied")
        found[kept] = {other: changed.get(other, base[kept])}
        model.config.tie_word_embeddings = False
    return found


def check_shapes(
    model: Any, changed: Mapping[str, Made], stored: Mapping[str, Stored | Made], adapter: AdapterWeights
) -> None:
    """That weights keep their shape, but for embeddings, which may get more or fewer tokens if all of them do.

    Args:
        model: without weights; its config is told the number of tokens.
        changed: what becomes of weights.
        stored: all that is going to be stored.
        adapter: the adapter.

    Raises:
        UnfitError: it has rows of more tokens for one embedding only.
        FineTuneError: ModelUnsupported, the adapter belongs to another base.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    names = {module: f"{name}.weight" for name, module in model.named_modules()}
    embeddings = {names.get(module) for module in (model.get_input_embeddings(), model.get_output_embeddings())}
    for name, tensor in changed.items():
        kept = 1 if name in embeddings else 0
        if tensor.shape[kept:] != shapes[name][kept:]:
            raise another_base(f"its {name} has the shape {tensor.shape}, the base's {shapes[name]}")
    tokens = {name: tensor.shape[0] for name, tensor in stored.items() if name in embeddings}
    if len(set(tokens.values())) > 1:
        if adapter.rows:
            raise UnfitError(f"the adapter has more tokens for one embedding only, {tokens}")
        raise another_base(f"its embeddings would have different numbers of tokens, {tokens}")
    if tokens:
        model.config.get_text_config().vocab_size = next(iter(tokens.values()))


def _same(one: Made, other: Made | None, name: str) -> Made:
    """What both are; they may be one tensor that the adapter's file has twice."""
    if other is not None and not one.make().equal(other.make()):
        raise UnfitError(f"the adapter has two of {name}, which is tied")
    return one
