"""Names by which a spec calls modules of a model, and what is told where one does not do."""

from collections.abc import Iterable

from finetune_api.failures import FineTuneError, Reason


def called(name: str, modules: Iterable[str]) -> list[str]:
    """Full names of what is called so, or ends so behind a dot."""
    return [full for full in modules if full == name or full.endswith(f".{name}")]


def not_there(kind: str, name: str, there: Iterable[str], path: str) -> FineTuneError:
    """A name that matches nothing; there: full names of what there is."""
    parts = (full.rpartition(".")[2] for full in there)
    there_is = ", ".join(dict.fromkeys(part for part in parts if part and not part.isdigit()))
    message = f"no {kind} of the model is named {name!r}"
    return FineTuneError(Reason.INVALID_SPEC, message, remedy=f"There are: {there_is}.", path=path)


def in_four_bits(name: str, path: str) -> FineTuneError:
    """A module to be trained in full that a pass keeps in 4 bits."""
    return FineTuneError(
        Reason.INVALID_SPEC,
        f"{name!r} is kept in 4 bits, and what is trained in full can't be",
        remedy="Leave it out, or use a lora pass.",
        path=path,
    )
