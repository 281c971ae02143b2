"""The rows of a tuning pass as sequences: what training reads and a preview shows. No torch needed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.passes import Tuning
from finetune_runner.data.examples import Example, split_held_out
from finetune_runner.data.rendering import render, sequences
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.data.statistics import Statistics
from finetune_runner.passes.contract import EVAL_DATA, TRAIN_DATA, DataSet


@dataclass(frozen=True)
class TuningRows:
    """Each of the two is gone through once, in any order."""

    train: Iterator[TokenSequence]
    held_out: Iterator[TokenSequence]
    statistics: Statistics
    """Of the training rows; complete when both have been gone through."""
    of_held_out: Statistics
    """Sequences and tokens only."""


def tuning_rows(config: Tuning, data: Mapping[str, DataSet], tokenizer: Any, path: str) -> TuningRows:
    """Training and held-out sequences. A split leaves no duplicates; rows of evalData are taken as they are.

    Args:
        config: of the pass.
        data: by role.
        tokenizer: of transformers, or a FileTokenizer.
        path: where the pass's config stands in the spec.

    Raises:
        FineTuneError: DatasetInvalid, InvalidSpec or ModelUnsupported.
    """
    trained, kept = data[TRAIN_DATA], data.get(EVAL_DATA)
    rows = sum(1 for _ in trained.rows)
    statistics, of_held_out = Statistics(rows=rows, bad_rows=trained.bad_rows), Statistics()
    train, held_out = _split(config, lambda: _examples(trained, tokenizer), path)
    held_out = _examples(kept, tokenizer) if kept else statistics.count_held_out(held_out)
    return TuningRows(
        train=_sequences(statistics.count_distinct(train), trained, tokenizer, statistics),
        held_out=_sequences(held_out, kept or trained, tokenizer, of_held_out),
        statistics=statistics,
        of_held_out=of_held_out,
    )


def _split(
    config: Tuning, examples: Callable[[], Iterable[Example]], path: str
) -> tuple[Iterator[Example], Iterator[Example]]:
    try:
        return split_held_out(examples, config.eval_fraction, config.training.seed, count=config.eval_rows)
    except ValueError as error:
        field = "evalRows" if config.eval_rows else "evalFraction"
        raise FineTuneError(Reason.DATASET_INVALID, str(error), path=f"{path}.{field}") from error


def _examples(data: DataSet, tokenizer: Any) -> Iterator[Example]:
    return render(data.rows, data.config.preprocess, tokenizer, f"spec.dataConfigs[{data.config.name}].preprocess")


def _sequences(
    examples: Iterator[Example], data: DataSet, tokenizer: Any, statistics: Statistics
) -> Iterator[TokenSequence]:
    return sequences(lambda: examples, data.config.preprocess, tokenizer, statistics)
