"""What mergeBase: auto chooses by: the adapter's held-out rows, and the rounding the merged model is for. Pure."""

from finetune_api.export_options import ROUNDED
from finetune_api.plan import input_name
from finetune_api.resource.exports import Export, ModelBuilder
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import AUTO, Pass, QLora


def tuned_beside(spec: FineTuneJobSpec, step: Pass) -> QLora | None:
    """The qlora pass whose adapter a merge has to find the better base for; None where it has no choice to make.

    Adapters of other tuning passes belong to the original base, so that auto says the same as original.

    Args:
        spec: a valid spec.
        step: any of its passes.
    """
    if step.merge_adapter_weights is None or step.merge_adapter_weights.merge_base != AUTO:
        return None
    source = input_name(spec, spec.passes.index(step))
    return next((tuned.qlora for tuned in spec.passes if tuned.name == source), None)


def holds_out_rows(tuned: QLora) -> bool:
    """Whether there are rows that the adapter was not trained on."""
    return bool(tuned.eval_data or tuned.eval_fraction or tuned.eval_rows)


def meant_for(spec: FineTuneJobSpec, step: Pass) -> Export:
    """The first export that rounds a merge's model; where there is none, what an export is by default."""
    exports = (
        following.model_builder
        for index, following in enumerate(spec.passes)
        if following.model_builder and input_name(spec, index) == step.name
    )
    return next((export for export in exports if export.precision in ROUNDED), ModelBuilder())
