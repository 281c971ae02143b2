"""Has onnxruntime-genai's builder take a model's own head for its head, and no layer of the same width."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def own_head(builder: Any) -> Iterator[None]:
    """Within it, models that are built have one head.

    The builder takes any linear layer for it that has as many outputs as there are tokens (has_lm_head in its
    builders/base.py), and the last one that it meets stays.

    Args:
        builder: onnxruntime_genai.models.builders.base.Model.
    """
    has_lm_head = builder.has_lm_head

    def is_the_head(model: Any, module: Any) -> bool:
        if not has_lm_head(model, module):
            return False
        head = _head_of(model.weights)
        return head is None or module is head

    builder.has_lm_head = is_the_head
    try:
        yield
    finally:
        builder.has_lm_head = has_lm_head


def _head_of(weights: Any) -> Any:
    """The head's linear layer, below an adapter's wrapper if it has one; None where the model does not tell."""
    told = getattr(weights, "get_output_embeddings", None)
    head = told() if told else None
    return getattr(head, "base_layer", head)
