"""That adapter and base are no pair."""

from finetune_api.failures import FineTuneError, Reason


def another_base(what: str) -> FineTuneError:
    """The failure that an adapter was made for another model; `what` shows it."""
    return FineTuneError(
        Reason.MODEL_UNSUPPORTED,
        f"the adapter does not belong to this base: {what}",
        remedy="Merge it into the model that it was trained beside, or save all embeddings in it.",
    )
