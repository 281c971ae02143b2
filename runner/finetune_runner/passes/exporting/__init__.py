"""Exporting a model to ONNX: the builder in a process of its own, adapters beside the graph, and whether it answers."""
