"""How a pass is made to fit the memory there is, decided before its model is loaded."""

import logging

import torch

from finetune_api.resource.data import Preprocess
from finetune_api.resource.passes import Tuning
from finetune_runner.memory import host
from finetune_runner.memory.batches import largest_of
from finetune_runner.memory.choice import Choice, chosen
from finetune_runner.memory.fit import in_gibibytes, in_words
from finetune_runner.memory.shapes import Shapes
from finetune_runner.memory.values import values_for
from finetune_runner.passes.devices import CPU
from finetune_runner.training.token_store import TokenStore

log = logging.getLogger(__name__)


def room(device: str) -> int | None:
    """Bytes of memory that this process can still have for tensors on a device; None where that is not known."""
    if device == CPU:
        return host.available()
    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def made_to_fit(
    config: Tuning, shapes: Shapes, rows: TokenStore, preprocess: Preprocess, *, device: str, bfloat16: bool
) -> Choice:
    """Gradient checkpointing and micro-batch by the rows' true lengths; the log says why.

    Args:
        config: of the pass.
        shapes: of the base model.
        rows: training rows.
        preprocess: of their data.
        device: cpu or cuda.
        bfloat16: whether the base computes in it.
    """
    batch_of = largest_of(
        rows.lengths,
        rows.counted,
        config.training.per_device_train_batch_size,
        least=preprocess.max_seq_len if preprocess.pad_to_max_len else 0,
        packed=rows.packed,
    )
    values, there = values_for(accelerator=device != CPU, bfloat16=bfloat16), room(device)
    choice = chosen(shapes, config, batch_of, values, there)
    _tell(choice, config, there)
    return choice


def _tell(choice: Choice, config: Tuning, there: int | None) -> None:
    log.info(
        "%s gradient checkpointing and %d sequences at once the pass takes about %s, of %s",
        "with" if choice.checkpointing else "without",
        choice.micro_batch,
        in_words(choice.predicted),
        "memory of unknown size" if there is None else f"{in_gibibytes(there)} GiB",
    )
    asked = config.training.per_device_train_batch_size
    if choice.micro_batch < asked:
        log.warning("a micro-batch of %d does not fit: it is made of parts of %d", asked, choice.micro_batch)
    if not choice.fits:
        log.warning("by this estimate not even that fits; training begins all the same")
