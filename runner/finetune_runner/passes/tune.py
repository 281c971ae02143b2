"""lora, qlora, dora, loftq, loha, lokr: a model and rows become an adapter.

The output: adapter_config.json, adapter_model.safetensors, the tokenizer, prompt.json, training.json; of qlora also
quantised_base.json, which says how its base was rounded.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BitsAndBytesConfig, set_seed

from finetune_api.resource.passes import LoftQ, Lora, QLora, Tuning
from finetune_api.resource.training import Training
from finetune_api.training_arguments import parsed
from finetune_runner.data.new_tokens import add_new_tokens
from finetune_runner.ending.interruption import deferred
from finetune_runner.memory.adapters import new_tokens as new_tokens_of
from finetune_runner.memory.choice import Choice
from finetune_runner.memory.fit import read_shapes
from finetune_runner.passes.contract import TRAIN_DATA, PassInputs, PassResult, Report
from finetune_runner.passes.devices import CPU, attention_for, device_for, dtype_for, float32_products
from finetune_runner.passes.loading import load_model, load_tokenizer
from finetune_runner.passes.merging.as_seen import write_as_seen
from finetune_runner.passes.tuned_figures import fitting_figures, row_counts, training_figures
from finetune_runner.passes.tuned_output import save_tuned
from finetune_runner.passes.tuned_tokenizer import save_tokenizer
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.arguments import TF32, training_arguments
from finetune_runner.training.best import Best
from finetune_runner.training.checkpointing import BackgroundSaves, Checkpointing, restored, time_to_stop
from finetune_runner.training.compiling import compile_blocks
from finetune_runner.training.fitting import made_to_fit
from finetune_runner.training.held_out import LOGGED
from finetune_runner.training.loftq import QUANT_TYPE, Factors, start_from_residual
from finetune_runner.training.packing import check_packing
from finetune_runner.training.peak_memory import measure_from_here
from finetune_runner.training.rows import TrainingRows, collator, training_rows
from finetune_runner.training.stall import stalls_seen
from finetune_runner.training.telling import run_figures, step_figures
from finetune_runner.training.token_store import TokenStore
from finetune_runner.training.tracking import tracked
from finetune_runner.training.trainer import AdapterTrainer


def run(config: Tuning, inputs: PassInputs, report: Report) -> PassResult:
    """Trains an adapter of `inputs.source` into `inputs.output`.

    Raises:
        FineTuneError: DatasetInvalid, InvalidSpec, ModelUnsupported, AcceleratorUnavailable, OutOfAcceleratorMemory,
            NaNLoss.
        Interrupted: asked to stop while training; then a checkpoint is kept, if there was time.
    """
    device = device_for(accelerator=inputs.accelerator)
    training, path = config.training, f"{inputs.path}.training"
    dtype = dtype_for(training.dtype, device)
    attention = attention_for(training.attn_implementation, f"{path}.attnImplementation")
    tokenizer = load_tokenizer(inputs.source, trust_remote_code=inputs.trust_remote_code)
    tf32 = float32_products(parsed(training.extra).get(TF32), device, f"{path}.extra[{TF32}]")
    new_tokens = add_new_tokens(tokenizer, new_tokens_of(config), f"{inputs.path}.newTokens")
    measure_from_here(device)
    with tempfile.TemporaryDirectory() as scratch, tf32:
        place = _Place(device, dtype, Path(scratch))
        rows = training_rows(config, inputs, tokenizer, place.scratch)
        fitting = _fitting(config, inputs, rows.train, place)
        set_seed(training.seed)
        model = with_adapter(_base(config, inputs, place, attention), config, inputs.path, new_tokens)
        start = _residual_start(model, config, inputs, dtype)
        if training.torch_compile:
            compile_blocks(model, f"{path}.torchCompile")
        trainer = _trainer(model, config, inputs, rows, place, fitting=fitting, pad=_pad(tokenizer), report=report)
        figures = _trained(trainer, config, inputs, place)
    save_tuned(model, inputs, log=trainer.state.log_history, figures=figures, statistics=rows.statistics, start=start)
    save_tokenizer(tokenizer, inputs, changed=bool(new_tokens))
    told = run_figures(trainer, inputs.memory_at_most) | fitting_figures(trainer, fitting)
    return PassResult(figures | told | row_counts(rows.statistics) | step_figures(trainer))


@dataclass(frozen=True)
class _Place:
    """Where a pass computes."""

    device: str
    dtype: torch.dtype
    """Of the base's weights."""
    scratch: Path


def _base(config: Tuning, inputs: PassInputs, place: _Place, attention: str | None) -> Any:
    """The frozen model, on its device; of qlora how it was rounded is left in the output."""
    base = load_model(
        inputs.source,
        dtype=place.dtype,
        device=place.device,
        trust_remote_code=inputs.trust_remote_code,
        quantization=quantization(config, place.dtype),
        attention=attention,
    )
    if isinstance(config, QLora):
        write_as_seen(inputs.output, base.named_modules())
    check_packing(base, inputs.data[TRAIN_DATA].config.preprocess)
    return base


def _trainer(
    model: Any,
    config: Tuning,
    inputs: PassInputs,
    rows: TrainingRows,
    place: _Place,
    *,
    fitting: Choice | None,
    pad: int,
    report: Report,
) -> AdapterTrainer:
    training, path = config.training, f"{inputs.path}.training"
    return AdapterTrainer(
        model,
        training_arguments(
            training,
            scratch=place.scratch,
            device=place.device,
            dtype=place.dtype,
            checkpointing=fitting.checkpointing if fitting else bool(training.gradient_checkpointing),
            path=path,
        ),
        train=rows.train,
        held_out=rows.held_out,
        collate=collator(inputs.data[TRAIN_DATA].config.preprocess, pad),
        report=report,
        path=path,
        best=_best(model, training),
        ratio=config.lora_plus_ratio if isinstance(config, Lora) else 1,
        micro_batch=fitting.micro_batch if fitting else None,
    )


def _trained(trainer: AdapterTrainer, config: Tuning, inputs: PassInputs, place: _Place) -> dict[str, str]:
    """Trains to the end, with trackers told and stalls seen; gives the figures."""
    path = f"{inputs.path}.training"
    with tracked(
        trainer,
        config.training.report_to,
        run_name=inputs.run_name,
        folder=inputs.event_files or place.scratch / "tensorboard",
        path=f"{path}.reportTo",
    ):
        with stalls_seen(trainer, path):
            _train(trainer, config, inputs, place.scratch)
        return training_figures(trainer)


def _best(model: Any, training: Training) -> Best:
    return Best(
        model,
        keep=training.load_best_model_at_end,
        patience=training.early_stopping_patience,
        metric=LOGGED[training.metric_for_best_model],
    )


def _fitting(config: Tuning, inputs: PassInputs, rows: TokenStore, place: _Place) -> Choice | None:
    """How the pass is made to fit; None for an architecture whose memory can't be told."""
    shapes = read_shapes(inputs.source)
    if shapes is None:
        return None
    preprocess = inputs.data[TRAIN_DATA].config.preprocess
    bfloat16 = place.dtype is torch.bfloat16
    return made_to_fit(config, shapes, rows, preprocess, device=place.device, bfloat16=bfloat16)


def _train(trainer: AdapterTrainer, config: Tuning, inputs: PassInputs, scratch: Path) -> None:
    """Trains, from the newest checkpoint on if there is one."""
    kept = inputs.checkpoints
    if kept is None:
        trainer.train()
        return
    saves = BackgroundSaves(lambda step, folder: kept.save(step, folder, config.training.save_total_limit))
    resumed = restored(trainer, kept, scratch / "resumed")
    with deferred(time_to_stop(inputs.grace_seconds)) as stop:
        trainer.add_callback(Checkpointing(trainer, config.training, saves, stop))
        trainer.train(resume_from_checkpoint=resumed)
    saves.finish()


def quantization(config: Tuning, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """How qlora and loftq keep the base; None for the others."""
    if not isinstance(config, (QLora, LoftQ)):
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=config.quant_type if isinstance(config, QLora) else QUANT_TYPE,
        bnb_4bit_use_double_quant=isinstance(config, QLora) and config.double_quant,
        bnb_4bit_compute_dtype=dtype,
    )


def _residual_start(model: Any, config: Tuning, inputs: PassInputs, dtype: torch.dtype) -> Factors | None:
    """What loftq's adapter starts from; None for the others."""
    if not isinstance(config, LoftQ):
        return None
    original = load_model(inputs.source, dtype=dtype, device=CPU, trust_remote_code=inputs.trust_remote_code)
    return start_from_residual(model, original, config.loftq_iter)


def _pad(tokenizer: Any) -> int:
    """Any token does: padding is masked and never counts."""
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
