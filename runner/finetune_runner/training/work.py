"""What of a model computes, and what of a batch it computes on: the two sides of model_flops.py, read from tensors."""

from collections.abc import Iterable
from typing import Any

import torch
from peft.utils.other import TrainableTokensWrapper
from torch import nn

from finetune_runner.data.tokens import IGNORED
from finetune_runner.training.batches import Batch
from finetune_runner.training.model_flops import Attention, Decoder, Tokens, Work, training_flops

SLIDING = "sliding_attention"
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
REPLACED = "original_module"
"""peft's name of the module whose trained copy is used instead."""
MATRIX = 2


class WorkCounter:
    """Counts what a model's training on a batch comes to."""

    def __init__(self, model: Any) -> None:
        """model: with its adapter."""
        try:
            self.decoder = decoder_of(model)
        except AttributeError:  # a model's own code may name its parts as it likes
            self.decoder = None
        self._windows = list(dict.fromkeys(kind.window for kind in self.decoder.attention)) if self.decoder else []

    def __call__(self, batch: Batch) -> Work:
        tokens = tokens_of(batch, self._windows)
        flops = training_flops(self.decoder, tokens) if self.decoder else 0
        return Work(tokens.all, batch["attention_mask"].numel(), flops)


def tokens_of(batch: Batch, windows: Iterable[int | None]) -> Tokens:
    """What of a batch is worked on; waits for the device once.

    A token at place p of its sequence sees p + 1. Sequences are taken as squares, as in PaLM, and so each token counts
    for 2·p + 1 pairs, which come to n² over n tokens.
    """
    mask = batch["attention_mask"]
    places = batch["position_ids"] if "position_ids" in batch else mask.cumsum(1) - 1
    windows = list(windows)
    reach = [places if window is None else places.clamp(max=window - 1) for window in windows]
    sums = [mask.sum(), (batch["labels"][:, 1:] != IGNORED).sum(), *((mask * (2 * seen + 1)).sum() for seen in reach)]
    everything, counted, *pairs = torch.stack(sums).tolist()
    return Tokens(everything, counted, dict(zip(windows, pairs, strict=True)))


def has_experts(config: Any) -> bool:
    """Whether a transformers config is that of a mixture of experts."""
    text = config.get_text_config()
    return any((getattr(text, name, 0) or 0) > 1 for name in EXPERTS)


def decoder_of(model: Any) -> Decoder | None:
    """What of a causal language model multiplies; None where some of it is of a kind that is not counted here."""
    text = model.config.get_text_config()
    if has_experts(model.config):
        return None
    head, body = _in_use(model.get_output_embeddings()), model.get_decoder()
    frozen = trained = 0
    for name, module in body.named_modules():
        if REPLACED in name.split("."):
            continue
        for weight in module.parameters(recurse=False):
            if isinstance(module, nn.Embedding) or module is head:
                continue
            if weight.requires_grad:
                trained += weight.numel()
            elif isinstance(module, nn.Linear):
                frozen += module.in_features * module.out_features if weight is module.weight else 0
            elif weight.dim() >= MATRIX:
                return None
    return Decoder(
        frozen=frozen,
        trained=trained,
        head=head.in_features * head.out_features,
        head_is_trained=head.weight.requires_grad,
        attention=_attention(text),
    )


def _in_use(head: Any) -> Any:
    """The head itself, where peft has put a trained copy or trained rows beside it."""
    if isinstance(head, TrainableTokensWrapper):
        return head.original_module
    return head.modules_to_save[head.active_adapters[0]] if hasattr(head, "modules_to_save") else head


def _attention(text: Any) -> tuple[Attention, ...]:
    """Layers by their window."""
    width = text.num_attention_heads * (getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    window = getattr(text, "sliding_window", None)
    kinds = getattr(text, "layer_types", None)
    layers = text.num_hidden_layers
    sliding = kinds.count(SLIDING) if kinds else layers
    if window is None or sliding == 0:
        return (Attention(layers, width, None),)
    every = [Attention(sliding, width, window), Attention(layers - sliding, width, None)]
    return tuple(kind for kind in every if kind.layers)
