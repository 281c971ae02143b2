"""The training loop: transformers' Trainer with our loss, order, evaluation, memory's limit and progress."""

import json
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft.optimizers import create_loraplus_optimizer
from transformers import PrinterCallback, Trainer, TrainingArguments

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.contract import Report
from finetune_runner.training.arguments import GROUPED
from finetune_runner.training.batches import Batch, EpochOrder, PadToLongest, by_length, in_batches, shuffled
from finetune_runner.training.best import Best
from finetune_runner.training.clocks import clock_of
from finetune_runner.training.divergence import Divergence
from finetune_runner.training.held_out import Tally, score_for
from finetune_runner.training.loss import token_losses, token_scores
from finetune_runner.training.meter import Meter
from finetune_runner.training.micro_batch import MicroBatch
from finetune_runner.training.step_time import StepTime
from finetune_runner.training.telling import Telling, measured
from finetune_runner.training.token_store import Item
from finetune_runner.training.work import WorkCounter

PROGRESS_FILE = "progress_state.json"
"""Beside Trainer's own files."""
NAN_REMEDY = "Lower training.learningRate or set training.maxGradNorm; with bfloat16, try training.dtype: float32."


class AdapterTrainer(Trainer):  # type: ignore[misc]
    """Trains what of a model requires a gradient."""

    optimizer: Any
    """Of torch, or accelerate's wrapper of it."""

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
        best: Best | None = None,
        ratio: float = 1,
        micro_batch: int | None = None,
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
            best: follows the evaluations.
            ratio: learning rate of a LoRA's factor B over that of A.
            micro_batch: sequences at once to begin with; None: as many as the arguments say.
        """
        self.meter = Meter(time.monotonic, window=arguments.logging_steps)
        self.work = WorkCounter(model)
        self.step_time = StepTime(clock_of(model.device.type))
        self.divergence = Divergence(math.log(model.get_output_embeddings().weight.shape[0]))
        self.micro_batch = MicroBatch(
            micro_batch or arguments.per_device_train_batch_size,
            "micro-batch",
            path,
            can_checkpoint=not arguments.activation_checkpointing,
        )
        self.evaluated = MicroBatch(arguments.per_device_eval_batch_size, "batch of evaluation", path)
        self.report = report
        self.path = path
        self.ratio = ratio
        self.best = best or Best(model, keep=False, patience=0)
        self._step_batches: list[Batch] = []
        self._done = 0
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=train,
            eval_dataset=held_out if len(held_out) else None,
            data_collator=collate,
            callbacks=[Telling(self), self.best],
        )
        self.remove_callback(PrinterCallback)  # Telling logs
        self.model_accepts_loss_kwargs = True  # compute_loss divides by the step's tokens for every model

    def save_progress(self, folder: Path) -> None:
        """Writes what of the run so far lies here and not in Trainer's own checkpoint."""
        state = {
            "meter": self.meter.state(),
            "divergence": self.divergence.state(),
            "micro_batch": self.micro_batch.size,
            "best": self.best.save(folder),
        }
        (folder / PROGRESS_FILE).write_text(json.dumps(state), encoding="utf-8")

    def restore_progress(self, folder: Path) -> None:
        """Goes on from what save_progress left."""
        state = json.loads((folder / PROGRESS_FILE).read_text(encoding="utf-8"))
        self.meter.restore(state["meter"])
        self.divergence.restore(state["divergence"])
        self.micro_batch.size = min(self.micro_batch.size, state["micro_batch"])
        self.best.restore(folder, state["best"])
        self.args.eval_on_start = False  # that was done at the start

    @property
    def lowered_micro_batch(self) -> int | None:
        """Sequences in a micro-batch, where that is fewer than was asked for."""
        size = self.micro_batch.size
        return size if size < self.args.per_device_train_batch_size else None

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochOrder:
        step = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        rows = train_dataset or self.train_dataset
        if self.args.train_sampling_strategy == GROUPED:
            return by_length(step, rows, self.args.data_seed)
        return shuffled(rows, self.args.data_seed)

    def create_optimizer(self, model: Any = None) -> Any:
        """As Trainer does, or with LoRA+'s groups of parameters."""
        if self.ratio == 1 or self.optimizer is not None:
            return super().create_optimizer(model)
        kind, arguments = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        self.optimizer = create_loraplus_optimizer(
            self.model, kind, loraplus_lr_ratio=self.ratio, loraplus_weight_decay=self.args.weight_decay, **arguments
        )
        return self.optimizer

    def get_batch_samples(self, *arguments: Any) -> tuple[list[Batch], Any]:
        """As Trainer's, remembered for the case that the step has to begin anew."""
        self.meter.begin_step()
        self.step_time.begin()
        self._step_batches, items = super().get_batch_samples(*arguments)
        self.step_time.ended("data")
        self._done = 0
        return self._step_batches, items

    def training_step(
        self,
        model: Any,
        inputs: Batch,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Forward and backward of a micro-batch, in as many pieces as memory asks for.

        Where memory runs out, the whole optimizer step begins anew with smaller pieces: a backward pass that was cut
        off leaves half of a gradient. As each piece's loss is its share of the step's mean, the sum stays the same.

        Raises:
            FineTuneError: NaNLoss, OutOfAcceleratorMemory.
        """
        begun = self._done
        self._done += 1
        clean = True

        def work() -> torch.Tensor:
            nonlocal begun, clean
            if not clean:
                model.zero_grad()
                begun = 0
            clean = False
            losses = [self._in_parts(model, b, num_items_in_batch) for b in self._step_batches[begun : self._done]]
            return losses[-1]

        loss = self.micro_batch.fitted(work, len(inputs["input_ids"]))
        self.meter.add(self.work(inputs), self.finite(loss.item()))
        return loss

    def _in_parts(self, model: Any, batch: Batch, items: torch.Tensor | int | None) -> torch.Tensor:
        losses = []
        for part in self.micro_batch.parts(batch):
            losses.append(super().training_step(model, part, items))
            self.step_time.ended("backward")
        return torch.stack(losses).sum()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The micro-batch's share of the mean over all tokens of the optimizer step."""
        if num_items_in_batch is None:
            msg = "the number of tokens in the optimizer step is unknown"
            raise TypeError(msg)
        loss = token_losses(model, **inputs).sum() / num_items_in_batch
        self.step_time.ended("forward")
        return loss

    def evaluate(
        self,
        eval_dataset: Any = None,  # noqa: ARG002
        ignore_keys: list[str] | None = None,  # noqa: ARG002
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Figures over all held-out tokens, since a mean over batches would weigh those of unlike size wrongly."""
        self.model.eval()
        tally = Tally()
        for batch in in_batches(self.eval_dataset, self.args.per_device_eval_batch_size, self.data_collator):
            tally.add(self.evaluated.fitted(partial(self._scores, batch), len(batch["input_ids"])), batch["labels"])
        figures = {f"{metric_key_prefix}_{name}": value for name, value in tally.figures(self.best.metric).items()}
        self.log(dict(figures))
        self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    @torch.no_grad()
    def _scores(self, batch: Batch) -> torch.Tensor:
        parts = (self._prepare_inputs(part) for part in self.evaluated.parts(batch))
        return torch.cat([token_scores(self.model, score_for(self.best.metric), **part) for part in parts], dim=-1)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """As Trainer does, but with losses of the whole run, of which it knows those since it was started; and pace."""
        if "loss" in logs:
            logs |= {"loss": self.meter.logged(), **measured(self)}
        if "train_loss" in logs:
            logs["train_loss"] = self.meter.mean_loss
        super().log(logs, start_time)

    def finite(self, loss: float) -> float:
        """The loss, if it is one.

        Raises:
            FineTuneError: NaNLoss.
        """
        if math.isfinite(loss):
            return loss
        raise self._astray(f"the loss became {loss} at step {self.state.global_step + 1}")

    def check_course(self) -> None:
        """That the steps so far have not made the model far worse.

        Raises:
            FineTuneError: NaNLoss.
        """
        self.divergence.add(self.meter.step_loss)
        if self.divergence.seen:
            start, now = self.divergence.start, self.divergence.now
            raise self._astray(
                f"training diverges: the loss rose from {start:.2f} to {now:.2f} at step {self.state.global_step}"
            )

    def _astray(self, message: str) -> FineTuneError:
        return FineTuneError(Reason.NAN_LOSS, message, remedy=NAN_REMEDY, path=self.path)
