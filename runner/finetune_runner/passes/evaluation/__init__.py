"""Measuring a model: its answers and its loss, alike for PyTorch and ONNX."""
