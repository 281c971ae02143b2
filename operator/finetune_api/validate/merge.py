"""Which base an adapter can be merged into. Pure."""

from collections.abc import Iterator

from finetune_api.merge_choice import holds_out_rows
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import AUTO, DEQUANTISED, MergeAdapterWeights, Pass


def merge_problems(spec: FineTuneJobSpec, config: MergeAdapterWeights, source: str, path: str) -> Iterator[Problem]:
    """That a dequantised base is only for adapters that were trained beside one, and that auto has rows to choose by.

    Args:
        spec: the spec it is part of.
        config: of the merge.
        source: name of the pass that makes the adapter.
        path: of the merge, such as spec.passes[1].mergeAdapterWeights.
    """
    tuned = next(step for step in spec.passes if step.name == source)
    if config.merge_base == AUTO:
        yield from _auto_problems(tuned, f"{path}.mergeBase")
    if config.merge_base != DEQUANTISED or tuned.variant in ("qlora", "plugin"):
        return
    message = f"{source!r} ({tuned.variant_alias}) was not trained for a base in 4 bits"
    if tuned.loftq:
        message = f"{source!r} (loftq) makes an adapter for the full-precision base, whatever it was trained beside"
    yield Problem(f"{path}.mergeBase", message, "leave mergeBase out, or tune with qlora")


def _auto_problems(tuned: Pass, path: str) -> Iterator[Problem]:
    if tuned.plugin:
        message = f"which rows {tuned.name!r} (plugin) was not trained on can't be told, so nothing can be compared"
        yield Problem(path, message, "use one of: original, dequantised")
    elif tuned.qlora and not holds_out_rows(tuned.qlora):
        message = f"{tuned.name!r} holds no rows out to compare the two bases by"
        yield Problem(
            path,
            message,
            f"set evalFraction, evalRows or evalData of {tuned.name}, or use one of: original, dequantised",
        )
