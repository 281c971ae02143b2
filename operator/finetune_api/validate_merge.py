"""Which base an adapter can be merged into. Pure."""

from collections.abc import Iterator

from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import DEQUANTISED, MergeAdapterWeights


def merge_problems(spec: FineTuneJobSpec, config: MergeAdapterWeights, source: str, path: str) -> Iterator[Problem]:
    """That a dequantised base is asked for only where the adapter was trained beside a quantised one.

    Args:
        spec: the spec it is part of.
        config: of the merge.
        source: name of the pass that makes the adapter.
        path: of the merge, such as spec.passes[1].mergeAdapterWeights.
    """
    tuned = next(step for step in spec.passes if step.name == source)
    if config.merge_base != DEQUANTISED or tuned.variant in ("qlora", "plugin"):
        return
    message = f"{source!r} ({tuned.path_name}) was not trained for a base in 4 bits"
    if tuned.loftq:
        message = f"{source!r} (loftq) makes an adapter for the full-precision base, whatever it was trained beside"
    yield Problem(f"{path}.mergeBase", message, "leave mergeBase out, or tune with qlora")
