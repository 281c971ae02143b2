"""Tiny models, made once a session."""

from pathlib import Path

import pytest

from passes import export_here
from tiny_decoders import make_tiny_decoder
from tiny_gemma3 import make_tiny_gemma3
from tiny_phi3 import make_tiny_phi3


@pytest.fixture(scope="session")
def tiny_phi3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_phi3(tmp_path_factory.mktemp("models") / "phi3")


@pytest.fixture(scope="session")
def tiny_gemma3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gemma3(tmp_path_factory.mktemp("models") / "gemma3")


@pytest.fixture(scope="session", params=["phi3", "llama", "qwen3", "gemma3"])
def tiny_family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each family in turn."""
    if request.param in ("phi3", "gemma3"):
        model: Path = request.getfixturevalue(f"tiny_{request.param}")
        return model
    return make_tiny_decoder(request.param, tmp_path_factory.mktemp("models") / request.param)


@pytest.fixture(scope="session")
def tiny_phi3_onnx(tiny_phi3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _exported(tiny_phi3, tmp_path_factory)


@pytest.fixture(scope="session")
def tiny_gemma3_onnx(tiny_gemma3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _exported(tiny_gemma3, tmp_path_factory)


def _exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("exported") / "onnx"
    export_here(model, output, precision="fp32")
    return output
