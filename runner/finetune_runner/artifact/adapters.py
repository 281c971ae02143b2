"""Which adapters lie beside an exported graph, and which of them is meant."""

from pathlib import Path

from finetune_api.failures import FineTuneError, Reason

SUFFIX = ".onnx_adapter"
ALONE = "adapter"
"""What an adapter without others is called; of several each is called after the pass that tuned it."""


def adapter_file(name: str) -> str:
    """What an adapter's file is called, which onnxruntime-genai loads over the graph."""
    return name + SUFFIX


def adapters_beside(folder: Path) -> list[str]:
    """The names of the adapters in an exported model's folder; empty for none."""
    return sorted(file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}"))


def meant(folder: Path, named: str) -> str:
    """The adapter that is named, or the only one; empty where there is none.

    Raises:
        FineTuneError: InvalidSpec, there is none of that name, or there are several and none is named.
    """
    there = adapters_beside(folder)
    if named in there or not (named or there):
        return named
    if len(there) == 1 and not named:
        return there[0]
    message = f"it has no adapter {named!r}" if named else "it has several adapters, and none is named"
    remedy = f"Name one of: {', '.join(there)}." if there else "Name none: it is a model without adapters."
    raise FineTuneError(Reason.INVALID_SPEC, message, remedy=remedy)
