"""A transformers model under test, with or without an adapter."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation.streamers import BaseStreamer

from finetune_runner.data.tokens import Encoded
from finetune_runner.memory.shapes import LOGITS_AT_ONCE
from finetune_runner.passes.devices import device_for, dtype_for
from finetune_runner.passes.evaluation.model_under_test import Loss, up_to_stop
from finetune_runner.passes.loading import load_model
from finetune_runner.training.batches import PadToLongest, items
from finetune_runner.training.loss import counted_logits, token_losses


class PyTorchModel:
    """A model on its device."""

    def __init__(self, model: Any, stop: frozenset[int], pad: int) -> None:
        self.model = model.eval()
        self.model.generation_config = GenerationConfig()  # a model's own may sample
        self.stop = stop
        self.pad = pad

    @torch.no_grad()
    def losses(self, batch: Sequence[Encoded]) -> list[Loss]:
        tensors = PadToLongest(self.pad)(items(batch))
        losses = token_losses(self.model, **{name: t.to(self.model.device) for name, t in tensors.items()})
        parts = torch.split(losses, [sum(row.counts) for row in batch])
        return [Loss(part.sum().item(), len(part)) for part in parts]

    @torch.no_grad()
    def logits(self, batch: Sequence[Encoded]) -> Iterator[torch.Tensor]:
        vocabulary = self.model.get_output_embeddings().weight.shape[0]
        for some in _at_most(batch, LOGITS_AT_ONCE // vocabulary):
            tensors = PadToLongest(self.pad)(items(some))
            logits = counted_logits(self.model, **{name: t.to(self.model.device) for name, t in tensors.items()})
            yield from torch.split(logits, [sum(row.counts) for row in some])

    @torch.no_grad()
    def generate(self, prompts: Sequence[list[int]], max_new_tokens: int) -> list[list[int]]:
        """Padded on the left, so that every prompt ends where generation begins."""
        longest = max(len(prompt) for prompt in prompts)
        gaps = [longest - len(prompt) for prompt in prompts]
        ids = torch.tensor([[self.pad] * gap + prompt for gap, prompt in zip(gaps, prompts, strict=True)])
        mask = torch.tensor([[0] * gap + [1] * (longest - gap) for gap in gaps])
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=sorted(self.stop),
            pad_token_id=self.pad,
        )
        device = self.model.device
        output = self.model.generate(
            input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=settings
        )
        return [up_to_stop(row, self.stop) for row in output[:, longest:].tolist()]

    def answers_and_logits(
        self, batch: Sequence[Encoded], max_new_tokens: int
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        return zip(self.generate([row.prompt for row in batch], max_new_tokens), self.logits(batch), strict=True)

    @property
    def provider(self) -> str:
        return ""

    @property
    def context_length(self) -> int | None:
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @torch.no_grad()
    def token_times(self, prompt: list[int], new_tokens: int) -> list[float]:
        clock = _TokenClock()
        ids = torch.tensor([prompt], device=self.model.device)
        settings = GenerationConfig(do_sample=False, max_new_tokens=new_tokens, pad_token_id=self.pad)
        self.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings, streamer=clock
        )
        return clock.times


class _TokenClock(BaseStreamer):  # type: ignore[misc]
    """Notes when each new token reaches the host, in seconds since it was made."""

    def __init__(self) -> None:
        self.begin = perf_counter()
        self.times: list[float] = []
        self.prompt_seen = False

    def put(self, value: torch.Tensor) -> None:  # noqa: ARG002
        """Is given the prompt first, then token after token."""
        if self.prompt_seen:
            self.times.append(perf_counter() - self.begin)
        self.prompt_seen = True

    def end(self) -> None:
        """Nothing is held."""


def _at_most(batch: Sequence[Encoded], tokens: int) -> Iterator[Sequence[Encoded]]:
    """The rows in groups with so many tokens that count, or a single row that has more."""
    group: list[Encoded] = []
    for row in batch:
        if group and sum(sum(one.counts) for one in [*group, row]) > tokens:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def load_pytorch(
    directory: Path,
    adapter: Path | None,
    *,
    stop: frozenset[int],
    pad: int,
    accelerator: bool,
    trust_remote_code: bool,
) -> PyTorchModel:
    """The model in a directory, beside it the adapter in another."""
    device = device_for(accelerator=accelerator)
    model = load_model(directory, dtype=dtype_for("auto", device), device=device, trust_remote_code=trust_remote_code)
    if adapter:
        from finetune_runner.training.new_tokens import load_adapter  # noqa: PLC0415

        model = load_adapter(model, adapter)
    return PyTorchModel(model, stop, pad)
