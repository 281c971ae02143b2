"""Which orders of passes are taken, and why others are not."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

WIRE = {
    "lora": {"lora": {"trainData": "tones"}},
    "qlora": {"qlora": {"trainData": "tones"}},
    "loftq": {"loftq": {"trainData": "tones"}},
    "dora": {"dora": {"trainData": "tones"}},
    "loha": {"loha": {"trainData": "tones"}},
    "lokr": {"lokr": {"trainData": "tones"}},
    "full": {"lora": {"trainData": "tones", "modulesToSave": ["lm_head"]}},
    "merge": {"mergeAdapterWeights": {}},
    "export": {"modelBuilder": {}},
    "extract": {"extractAdapters": {}},
    "measure": {"evaluate": {"evaluator": "tone-accuracy", "data": "tones"}},
}


def chain(text: str) -> list[dict[str, object]]:
    """Passes of a line such as "lora merge extract<lora": each with its kind for a name, and its input after <."""
    parts = [word.partition("<") for word in text.split()]
    return [
        {"name": kind, "system": "gpu", **({"input": source} if source else {}), **WIRE[kind]}
        for kind, _, source in parts
    ]


def problems_of(text: str) -> list[str]:
    return [str(problem) for problem in parse(wire_spec() | {"passes": chain(text)})[1]]


@pytest.mark.parametrize(
    "passes",
    [
        "export",
        "measure",
        "lora",
        "lora measure",
        "lora merge",
        "lora merge export",
        "lora merge export measure",
        "lora measure merge export",
        "lora extract",
        "qlora extract",
        "loftq extract",
        "lora measure extract",
        "lora extract merge<lora",
        "lora merge extract<lora",
        "lora export<base",
        "lora qlora<base merge",
        "lora merge qlora",
        "dora merge export",
        "loha merge",
        "lokr merge",
        "full merge export",
    ],
)
def test_a_sensible_order_is_taken(passes):
    assert problems_of(passes) == []


FIRST_TUNE = "put a tuning pass (lora, qlora…) before it, or name one by input"
PLAIN_TUNE = "tune with lora, qlora or loftq, or merge the adapter and export the model with modelBuilder"
WRONG_ORDERS = {
    "merge": f"spec.passes[0]: mergeAdapterWeights works on an adapter, but 'base' makes a model ({FIRST_TUNE})",
    "extract": f"spec.passes[0]: extractAdapters works on an adapter, but 'base' makes a model ({FIRST_TUNE})",
    "lora merge extract": "spec.passes[2]: extractAdapters works on an adapter, but 'merge' makes a model"
    " (a merged adapter can't be told from its base: name the pass that tuned it by input)",
    "export merge": "spec.passes[1]: mergeAdapterWeights works on an adapter, but 'export' makes an ONNX model"
    f" ({FIRST_TUNE})",
    "lora export": "spec.passes[1]: modelBuilder works on a model, but 'lora' makes an adapter"
    " (put a mergeAdapterWeights pass before it, use extractAdapters instead, or name a model by input)",
    "lora qlora": "spec.passes[1]: qlora works on a model, but 'lora' makes an adapter"
    " (put a mergeAdapterWeights pass before it, or name a model by input)",
    "export lora": "spec.passes[1]: lora works on a model, but 'export' makes an ONNX model"
    " (name a pass that makes a model by input)",
    "lora extract export": "spec.passes[2]: modelBuilder works on a model, but 'extract' makes an ONNX model"
    " (name a pass that makes a model by input)",
    "measure lora<measure": "spec.passes[1].input: lora works on a model, but 'measure' makes figures"
    " (name a pass that makes a model by input)",
    "extract<lora lora<base": "spec.passes[0].input: no earlier pass is named 'lora' (use one of: base)",
    "dora extract": "spec.passes[1].extractAdapters: the magnitudes of a DoRA adapter ('dora') have no place in an ONNX"
    f" adapter ({PLAIN_TUNE})",
    "loha extract": "spec.passes[1].extractAdapters: the Hadamard products of a LoHa adapter ('loha') have no place in"
    f" an ONNX adapter ({PLAIN_TUNE})",
    "lokr extract": "spec.passes[1].extractAdapters: the Kronecker products of a LoKr adapter ('lokr') have no place in"
    f" an ONNX adapter ({PLAIN_TUNE})",
    "full extract": "spec.passes[1].extractAdapters: 'full' also trains modules in full (modulesToSave), which have no"
    " place in an ONNX adapter (leave modulesToSave out, or merge the adapter and export with modelBuilder)",
}


@pytest.mark.parametrize(("passes", "reason"), WRONG_ORDERS.items(), ids=WRONG_ORDERS)
def test_another_order_is_refused_with_its_reason(passes, reason):
    assert problems_of(passes) == [reason]
