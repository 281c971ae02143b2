"""Training sequences spelled out: a token is a word, _ stands for a space, / for a line end, what counts is in [ ]."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from finetune_api.resource.data import Preprocess
from finetune_runner.data.file_tokenizer import FileTokenizer
from finetune_runner.data.rendering import render, sequences
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.data.statistics import Statistics
from word_tokenizer import write_tokenizer

PATH = "spec.dataConfigs[0].preprocess"
NAMES = {" ": "_", "\n": "/"}


class Speller:
    """Makes the sequences of rows, with a tokenizer of word_tokenizer.KINDS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, kind: str, rows: Sequence[Mapping[str, object]], **preprocess: Any) -> list[str]:
        return [text for text, _ in self.with_sequences(kind, rows, **preprocess)]

    def with_sequences(
        self, kind: str, rows: Sequence[Mapping[str, object]], **preprocess: Any
    ) -> list[tuple[str, TokenSequence]]:
        tokenizer = FileTokenizer(write_tokenizer(self._folder / kind, kind))
        shape = Preprocess.model_validate(preprocess)
        examples = list(render(rows, shape, tokenizer, PATH))
        found = list(sequences(lambda: examples, shape, tokenizer, Statistics()))
        return [(_spell(tokenizer, sequence), sequence) for sequence in found]


def _spell(tokenizer: FileTokenizer, sequence: TokenSequence) -> str:
    words = [tokenizer.backend.id_to_token(token) for token in sequence.ids]
    words = [NAMES.get(word, word) for word in words]
    return " ".join(f"[{w}]" if c else w for w, c in zip(words, sequence.counts, strict=True))


@pytest.fixture
def spelled(tmp_path: Path) -> Speller:
    return Speller(tmp_path)
