"""Rows are tokenised once: a pass that trains on the same rows takes their tokens from the store."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataConfig
from finetune_api.resource.passes import Lora
from finetune_runner.outcome import Outcome
from finetune_runner.passes.contract import TRAIN_DATA, DataSet
from finetune_runner.passes.loading import load_tokenizer
from finetune_runner.prepare import prepare
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from finetune_runner.store.commit import Cache
from finetune_runner.store.token_cache import TokenCache
from finetune_runner.training import rows as training
from passes import inputs
from stores import open_store
from word_tokenizer import write_tokenizer

ROWS = [{"in": f"{a} {b}", "out": b} for a in "abcd" for b in "efg"] + [{"in": "a e", "out": "e"}]


class Unreadable:
    """Rows that nobody may read."""

    def __iter__(self):
        pytest.fail("the rows were read again")


@pytest.fixture(params=["s3", "volume"])
def store(place, request):
    return open_store(place, request.param)


@pytest.fixture
def made(tmp_path, store, monkeypatch):
    """Makes the rows of a pass whose tokens are kept, however fast they are made."""
    monkeypatch.setattr(training, "WORTH_KEEPING_SECONDS", -1)
    write_tokenizer(tmp_path / "model", "llama")
    tokenizer = load_tokenizer(tmp_path / "model", trust_remote_code=False)

    def make(rows, name, strategy="line-by-line"):
        preprocess = {"textTemplate": "Say : {in}\n{out}", "strategy": strategy, "maxSeqLen": 32}
        source = {"volume": {"claimName": "here", "path": "rows.jsonl"}}
        config = DataConfig.model_validate({"name": "rows", "source": source, "preprocess": preprocess})
        given = inputs(
            tmp_path / "model",
            tmp_path / name / "out",
            data={TRAIN_DATA: DataSet(config, rows)},
            tokens=TokenCache(Cache(store, "team"), "key", attempt=name, job_folder="team/jobs/uid"),
        )
        return training.training_rows(Lora(train_data="rows", eval_fraction=0.3), given, tokenizer, tmp_path / name)

    return make


@pytest.mark.parametrize("strategy", ["line-by-line", "packing"])
def test_the_second_pass_trains_on_the_firsts_tokens_without_reading_a_row(made, strategy):
    first, second = made(ROWS, "first", strategy), made(Unreadable(), "second", strategy)

    assert len(first.train) > 0
    assert list(second.train) == list(first.train)
    assert list(second.held_out) == list(first.held_out)
    assert second.train.counted.tolist() == first.train.counted.tolist()
    assert second.statistics == first.statistics


def test_damaged_tokens_are_made_anew(made, store):
    first = made(ROWS, "first")
    ids = next(info.key for info in store.list("team/") if info.key.endswith("train.ids"))
    store.put(ids, bytes(store.head(ids).size))

    assert list(made(ROWS, "second").train) == list(first.train)
    assert list(made(Unreadable(), "third").train) == list(first.train)


def test_a_store_that_takes_no_tokens_is_a_warning(made, store, monkeypatch, caplog):
    def full(*_):
        raise FineTuneError(Reason.OUT_OF_DISK, "no room")

    monkeypatch.setattr(store, "upload", full)
    assert len(made(ROWS, "first").train) > 0
    assert "the rows' tokens are not kept" in caplog.text


def test_tokens_that_are_quickly_made_are_not_kept(made, store, monkeypatch):
    monkeypatch.setattr(training, "WORTH_KEEPING_SECONDS", 60)
    made(ROWS, "first")
    assert list(store.list("team/")) == []


def test_another_job_that_trains_otherwise_takes_them_too(place, tiny_phi3, monkeypatch, caplog):
    monkeypatch.setattr(training, "WORTH_KEEPING_SECONDS", -1)
    caplog.set_level("INFO")
    for key in place.bucket.object_keys("base/"):
        place.bucket.delete(key)
    place.bucket.upload(tiny_phi3, "base")

    for rate in (0.1, 0.2):
        config = {"r": 4, "trainData": "tones", "training": {"maxSteps": 1, "learningRate": rate}}
        output = {"s3": place.bucket.location(f"out-{rate}")}
        job = place.another().job(place.spec(passes=[{"name": "tune", "lora": config}], output=output))
        prepare(job, Outcome(kind="prepare"))
        run_stage(job, 0, Outcome(kind="stage"), ProgressState())

    assert caplog.text.count("pass tune: lora begins") == 2
    assert caplog.text.count("the rows' tokens are those of an earlier pass") == 1
