"""What training would see can be looked at, without torch. A word is a token, so is a space or a line end."""

import pytest

from finetune_api.failures import FineTuneError
from finetune_api.resource.data import DataConfig
from finetune_api.resource.passes import Lora
from finetune_runner.data.file_tokenizer import FileTokenizer
from finetune_runner.data.preview import preview_data, preview_pass
from finetune_runner.passes.contract import EVAL_DATA, TRAIN_DATA, DataSet
from word_tokenizer import write_tokenizer

ROWS = [{"q": "a", "a": "b"}, {"q": "a", "a": "b"}, {"q": "c d e f g h i", "a": "b"}]


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    return FileTokenizer(write_tokenizer(tmp_path_factory.mktemp("llama"), "llama"))


def config(**preprocess):
    wire = {"name": "x", "source": {"configMap": {"name": "x", "key": "x"}}}
    return DataConfig.model_validate(wire | {"preprocess": {"textTemplate": "Say {q}\n{a}", **preprocess}})


def test_a_sample_shows_what_counts(llama):
    shown = preview_data(DataSet(config(), ROWS), llama, limit=1)

    [sample] = shown.samples
    assert sample.rows == [[("<s>Say a\n", False), ("b</s>", True)]]
    assert sample.labels == [-100] * 5 + sample.ids[5:]
    assert len(sample.ids) == 7


def test_packed_rows_stand_by_themselves(llama):
    rows = [{"q": "a", "a": "b"}, {"q": "c", "a": "d"}]

    [sample] = preview_data(DataSet(config(strategy="packing"), rows), llama, limit=1).samples

    assert sample.rows == [[("<s>Say a\n", False), ("b</s>", True)], [("<s>Say c\n", False), ("d</s>", True)]]


def test_statistics_are_about_all_rows(llama):
    statistics = preview_data(DataSet(config(maxSeqLen=12), ROWS), llama, limit=1).statistics

    assert (statistics.rows, statistics.duplicates, statistics.sequences) == (3, 1, 2)
    assert (statistics.tokens, statistics.counted_tokens, statistics.truncated) == (7 + 12, 2 + 2, 1)


def tuning(**fields):
    return Lora.model_validate({"trainData": "x", **fields})


@pytest.mark.parametrize("held_out", [{"evalFraction": 0.25}, {"evalRows": 2}])
def test_of_a_pass_the_held_out_rows_are_no_duplicates_and_not_among_its_sequences(llama, held_out):
    rows = [{"q": letter, "a": "b"} for letter in "abcdefgh"]
    data = {TRAIN_DATA: DataSet(config(), rows + rows[:3])}

    shown = preview_pass(tuning(**held_out), data, llama, "spec.passes[0].lora", limit=99)

    found = shown.statistics
    assert (found.rows, found.distinct, found.held_out, found.duplicates) == (11, 6, 2, 3)
    assert (found.sequences, len(shown.samples)) == (6, 6)
    assert (shown.held_out.sequences, shown.held_out.tokens) == (2, 14)


def test_rows_of_eval_data_are_taken_as_they_are(llama):
    data = {TRAIN_DATA: DataSet(config(), ROWS), EVAL_DATA: DataSet(config(), ROWS)}

    shown = preview_pass(tuning(evalData="x"), data, llama, "spec.passes[0].lora", limit=0)

    assert (shown.statistics.distinct, shown.statistics.held_out, shown.samples) == (2, 0, [])
    assert shown.held_out.sequences == 3


def test_a_row_that_cannot_be_split_is_refused_with_its_place(llama):
    data = {TRAIN_DATA: DataSet(config(), ROWS[:2])}
    for field, value in {"evalFraction": 0.5, "evalRows": 1}.items():
        with pytest.raises(FineTuneError, match=rf"spec\.passes\[0\]\.lora\.{field}: 1 distinct rows"):
            preview_pass(tuning(**{field: value}), data, llama, "spec.passes[0].lora", limit=1)


def test_a_new_token_of_the_pass_is_one_token_and_one_that_is_known_is_refused(tmp_path):
    tokenizer = FileTokenizer(write_tokenizer(tmp_path, "llama"))
    known, eos = max(tokenizer.get_vocab().values()), tokenizer.eos_token_id
    rows = {TRAIN_DATA: DataSet(config(), [{"q": "a", "a": "<joy>b<joy>"}])}
    tune = Lora.model_validate({"trainData": "x", "newTokens": ["<joy>"]})

    [sample] = preview_pass(tune, rows, tokenizer, "spec.passes[0].lora", limit=1).samples

    assert sample.ids[-4:] == [known + 1, tokenizer.get_vocab()["b"], known + 1, eos]
    assert sample.rows[0][1] == ("<joy>b<joy></s>", True)
    with pytest.raises(FineTuneError, match=rf"the tokenizer has '<joy>' already \(id {known + 1}\)") as caught:
        preview_pass(tune, rows, tokenizer, "spec.passes[0].lora", limit=1)
    assert caught.value.path == "spec.passes[0].lora.newTokens[0]"
