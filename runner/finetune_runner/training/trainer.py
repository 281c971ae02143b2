"""The training loop: transformers' Trainer with our loss, order, evaluation and progress."""

import logging
import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.contract import Report
from finetune_runner.training.arguments import GROUPED
from finetune_runner.training.batches import PadToLongest, by_length, in_batches, shuffled
from finetune_runner.training.loss import token_losses
from finetune_runner.training.meter import Meter
from finetune_runner.training.token_store import Item

log = logging.getLogger(__name__)

NAN_REMEDY = "Lower training.learningRate or set training.maxGradNorm; with bfloat16, try training.dtype: float32."


class AdapterTrainer(Trainer):  # type: ignore[misc]
    """Trains what of a model requires a gradient."""

    def __init__(
        self,
        model: Any,
        arguments: TrainingArguments,
        *,
        train: Sequence[Item],
        held_out: Sequence[Item],
        collate: PadToLongest,
        report: Report,
        path: str,
    ) -> None:
        """Sets the loop up.

        Args:
            model: a model with an adapter, on its device.
            arguments: of transformers' Trainer.
            train: encoded training examples.
            held_out: encoded examples for evaluation between steps; may be empty.
            collate: makes batches of examples.
            report: told each step.
            path: where the training arguments stand in the spec.
        """
        self.meter = Meter(time.monotonic, window=arguments.logging_steps)
        self.path = path
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=train,
            eval_dataset=held_out if len(held_out) else None,
            data_collator=collate,
            callbacks=[_Progress(self.meter, report)],
        )
        self.remove_callback(PrinterCallback)  # _Progress logs
        self.model_accepts_loss_kwargs = True  # compute_loss divides by the step's tokens for every model

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        step = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        rows = train_dataset or self.train_dataset
        if self.args.train_sampling_strategy == GROUPED:
            return by_length(step, rows, self.args.data_seed)
        return shuffled(rows, self.args.data_seed)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The micro-batch's share of the mean over all tokens of the optimizer step.

        Raises:
            FineTuneError: NaNLoss.
        """
        if num_items_in_batch is None:
            msg = "the number of tokens in the optimizer step is unknown"
            raise TypeError(msg)
        loss = token_losses(model, **inputs).sum() / num_items_in_batch
        self.meter.add(tokens=int(inputs["attention_mask"].sum()), loss=self.finite(loss.item()))
        return loss

    def evaluate(
        self,
        eval_dataset: Any = None,  # noqa: ARG002
        ignore_keys: list[str] | None = None,  # noqa: ARG002
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Mean loss of the held-out examples over their tokens, which batches of unlike size would weigh wrongly."""
        self.model.eval()
        total, tokens = 0.0, 0
        with torch.no_grad():
            for batch in in_batches(self.eval_dataset, self.args.per_device_eval_batch_size, self.data_collator):
                losses = token_losses(self.model, **self._prepare_inputs(batch))
                total, tokens = total + losses.sum().item(), tokens + losses.numel()
        figures = {f"{metric_key_prefix}_loss": total / tokens}
        self.log(dict(figures))
        self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    def finite(self, loss: float) -> float:
        """The loss, if it is one.

        Raises:
            FineTuneError: NaNLoss.
        """
        if math.isfinite(loss):
            return loss
        message = f"the loss became {loss} at step {self.state.global_step + 1}"
        raise FineTuneError(Reason.NAN_LOSS, message, remedy=NAN_REMEDY, path=self.path)


class _Progress(TrainerCallback):  # type: ignore[misc]
    """Tells each step as it ends, and logs what Trainer has to log."""

    def __init__(self, meter: Meter, report: Report) -> None:
        self.meter = meter
        self.report = report

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.meter.begin_step()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.meter.end_step()
        self.report(
            step=state.global_step,
            total_steps=state.max_steps,
            loss=self.meter.loss,
            tokens_per_second=self.meter.tokens_per_second,
        )

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:  # noqa: ARG002
        log.info("step %d of %d: %s", state.global_step, state.max_steps, logs)
