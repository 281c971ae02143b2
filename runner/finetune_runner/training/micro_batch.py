"""How many sequences go through the model at once, and what happens when that is too much for its memory."""

import gc
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.training.batches import Batch

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class MicroBatch:
    """A size that halves whenever the accelerator's memory runs out, down to one sequence."""

    size: int
    what: str
    """What it is the size of, for people."""
    path: str
    """Where the training arguments stand in the spec."""
    can_checkpoint: bool = False
    """Whether computing activations twice would take less memory: it does in training, where that is not done yet."""

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """The batch in pieces of at most this size."""
        for start in range(0, _rows(batch), self.size):
            yield {name: tensor[start : start + self.size] for name, tensor in batch.items()}

    def fitted(self, work: Callable[[], T], rows: int) -> T:
        """Does something until it fits.

        Args:
            work: anew from its start each time; what it makes is found in `parts`.
            rows: sequences in the largest batch it works on.

        Raises:
            FineTuneError: OutOfAcceleratorMemory, one sequence does not fit.
        """
        while True:
            try:
                return work()
            except torch.OutOfMemoryError as error:
                message = str(error).strip().partition("\n")[0]
            # Behind the handler, since the exception keeps the activations of the failed attempt alive.
            self._halve(min(rows, self.size), message)

    def _halve(self, tried: int, message: str) -> None:
        if tried <= 1:
            checkpoint = "set training.gradientCheckpointing, " if self.can_checkpoint else ""
            raise FineTuneError(
                Reason.OUT_OF_ACCELERATOR_MEMORY,
                f"a {self.what} of one sequence does not fit: {message}",
                remedy=f"Lower preprocess.maxSeqLen, {checkpoint}or use qlora.",
                path=self.path,
            )
        self.size = tried // 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.warning("out of accelerator memory with a %s of %d: from now on %d", self.what, tried, self.size)


def _rows(batch: Batch) -> int:
    return len(next(iter(batch.values())))
