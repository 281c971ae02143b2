"""The library versions that decide what a pass makes.

Prepare runs without these libraries, so it reads their versions here; requirements/runner.txt and requirements/cuda.txt
install the same. A test fails when they drift.
"""

from collections.abc import Sequence
from importlib import metadata

PINNED: dict[str, str] = {
    "torch": "2.15.0",
    "transformers": "5.24.0",
    "peft": "0.21.2",
    "bitsandbytes": "0.50.2",
    "onnxruntime-genai": "0.18.0",
    "onnxruntime": "1.32.0",
    "gguf": "0.19.0",
    "safetensors": "0.8.0",
    "onnxruntime-genai-cuda": "0.18.0",
    "onnxruntime-gpu": "1.31.1",
}

CONVERSION = "conversion"
"""Of a base model to safetensors: not a pass, but what passes begin with."""

DECIDING: dict[str, tuple[str, ...]] = {
    "lora": ("torch", "transformers", "peft"),
    "qlora": ("torch", "transformers", "peft", "bitsandbytes"),
    "dora": ("torch", "transformers", "peft"),
    "loftq": ("torch", "transformers", "peft", "bitsandbytes"),
    "loha": ("torch", "transformers", "peft"),
    "lokr": ("torch", "transformers", "peft"),
    "merge_adapter_weights": ("torch", "transformers", "peft", "bitsandbytes"),
    "model_builder": ("torch", "transformers", "onnxruntime-genai", "onnxruntime"),
    CONVERSION: ("torch", "transformers", "gguf", "safetensors"),
    "extract_adapters": ("torch", "transformers", "peft", "onnxruntime-genai", "onnxruntime"),
    "evaluate": ("torch", "transformers", "peft", "onnxruntime-genai", "onnxruntime"),
}
"""Per kind of pass: the libraries whose version changes what it makes."""

CUDA_RUNTIME = ("onnxruntime-genai-cuda", "onnxruntime-gpu")
"""Decide too what is measured of an artifact on CUDA."""

TOKENISING = ("transformers", "tokenizers")
"""Whose versions change a text's tokens."""


def deciding(kind: str, *, cuda: bool = False) -> dict[str, str]:
    """Name to version of the libraries that decide the output of a kind of pass; `cuda`: one that measures on it."""
    return {name: PINNED[name] for name in (*DECIDING[kind], *(CUDA_RUNTIME if cuda else ()))}


def differing(kind: str) -> dict[str, str]:
    """Libraries of a kind of pass that are installed here in another version than the pinned one.

    What is not installed under its own name (onnxruntime-genai-cuda) can't be compared, and is left out.
    """
    found = {name: _installed(name) for name in DECIDING[kind]}
    return {name: version for name, version in found.items() if version and version != PINNED[name]}


def installed(names: Sequence[str]) -> dict[str, str]:
    """Name to version of what is installed here, empty where it isn't."""
    return {name: _installed(name) for name in names}


def _installed(name: str) -> str:
    """The public version (without a build's suffix such as +cpu), empty where it is not installed."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""
