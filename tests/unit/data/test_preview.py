"""What training would see can be looked at, without torch."""

import subprocess
import sys

from finetune_api.resource.data import DataConfig
from finetune_runner.data.preview import preview
from word_tokenizer import write_tokenizer

ROWS = [{"q": "a", "a": "b"}, {"q": "a", "a": "b"}, {"q": "c d e f g h i", "a": "b"}]


def config(**preprocess):
    wire = {"name": "x", "source": {"configMap": {"name": "x", "key": "x"}}}
    return DataConfig.model_validate(wire | {"preprocess": {"textTemplate": "Say {q}\n{a}", **preprocess}})


def test_a_sample_shows_what_counts(tmp_path):
    shown = preview(ROWS, config(), write_tokenizer(tmp_path, "llama"), limit=1)

    [sample] = shown.samples
    assert [counted for _, counted in sample.pieces] == [False, True]
    assert [text.split() for text, _ in sample.pieces] == [["<s>", "Say", "a"], ["b", "</s>"]]
    assert sample.tokens == 7


def test_statistics_are_about_all_rows(tmp_path):
    statistics = preview(ROWS, config(maxSeqLen=12), write_tokenizer(tmp_path, "llama"), limit=1).statistics

    assert (statistics.rows, statistics.duplicates, statistics.sequences) == (3, 1, 2)
    assert (statistics.tokens, statistics.counted_tokens, statistics.truncated) == (7 + 12, 2 + 2, 1)


def test_neither_torch_nor_transformers_is_imported(tmp_path):
    write_tokenizer(tmp_path, "llama")
    code = (
        "import sys; from pathlib import Path\n"
        "from finetune_api.resource.data import DataConfig\n"
        "from finetune_runner.data.preview import preview\n"
        f"config = DataConfig.model_validate({config().to_wire()!r})\n"
        f"assert preview({ROWS!r}, config, Path({str(tmp_path)!r}), 2).samples\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
