"""Fixtures that the runner's tests share; each is defined in tests/support."""

import one_thread  # noqa: F401 (before whatever imports torch)
from exporting import builder_here
from hub_server import hub
from runner_place import place
from s3_server import bucket, s3_server
from tiny_models import tiny_family, tiny_gemma3, tiny_gemma3_onnx, tiny_phi3, tiny_phi3_onnx

__all__ = [
    "bucket",
    "builder_here",
    "hub",
    "place",
    "s3_server",
    "tiny_family",
    "tiny_gemma3",
    "tiny_gemma3_onnx",
    "tiny_phi3",
    "tiny_phi3_onnx",
]
