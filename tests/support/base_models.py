"""What tests ask of a base model that was converted."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.conversion import convert
from finetune_runner.sources.model_format import Conversion

TEXTS = ["Wait, you two are married? Since when?", "WE'LL pay 12345.67,\n\n\nor  3 x (4)\tof  them\r\n—señor 日本"]
IDS = torch.arange(5, 45).unsqueeze(0)


def converted(kind: Conversion, source: Path, target: Path) -> Path:
    target.mkdir()
    convert(kind, source, target)
    return target


def logits(directory: Path) -> torch.Tensor:
    return AutoModelForCausalLM.from_pretrained(directory)(IDS).logits


def tokens(directory: Path) -> list[list[int]]:
    return AutoTokenizer.from_pretrained(directory)(TEXTS).input_ids


def refused(call: Any, *arguments: Any) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        call(*arguments)
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED
    return caught.value
