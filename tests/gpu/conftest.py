"""What only a CUDA device can show. `make test-gpu` runs it where there is one; without one every test fails."""

import os
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts; determinism asks for it

import pytest
import torch

from decoder_shapes import SHAPES
from random_decoder import make_random_decoder
from tiny_models import tiny_phi3

__all__ = ["tiny_phi3"]


@pytest.fixture(scope="session", autouse=True)
def _device() -> None:
    assert torch.cuda.is_available(), "tests/gpu needs a CUDA device and a torch that sees it"


@pytest.fixture(scope="session")
def small_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 million weights."""
    return make_random_decoder(SHAPES["llama-60m"], tmp_path_factory.mktemp("models") / "llama")
