"""A tuning pass that is stopped goes on from its checkpoint, and nothing shows that it was stopped."""

import logging
import signal
import time

import pytest

from finetune_runner.ending.interruption import Interrupted, raise_on_sigterm
from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.commit import Cache
from passes import Reported, dora, loftq, lora, qlora, tune
from stores import open_store

TRAINING = {
    "maxSteps": 11,
    "perDeviceTrainBatchSize": 2,
    "gradientAccumulationSteps": 2,
    "learningRate": 0.01,
    "warmupSteps": 3,
    "lrSchedulerType": "cosine",
    "evalStrategy": "epoch",
    "loggingSteps": 4,
}
COMMON = {"dropout": 0.2, "evalFraction": 0.25}
NOISE = {"extra": {"neftune_noise_alpha": "5"}}
CONFIGS = {
    "lora in order of length": lora(**COMMON, training=TRAINING),
    "lora in random order": lora(**COMMON, training=TRAINING | {"groupByLength": False}),
    "lora with noise": lora(**COMMON, training=TRAINING | NOISE),
    "lora with a new token": lora(**COMMON, newTokens=["smiling"], training=TRAINING),
    "lora with a norm in bfloat16": lora(
        **COMMON, modulesToSave=["norm"], training=TRAINING | {"dtype": "bfloat16", "learningRate": 0.001}
    ),
    "qlora": qlora(**COMMON, doubleQuant=True, training=TRAINING),
    "dora": dora(**COMMON, training=TRAINING),
    "loftq": loftq(**COMMON, training=TRAINING),
}
IN_AN_EPOCH, AT_ITS_END, LATER = 4, 6, 8
"""Nine rows are five micro-batches, and three steps."""


@pytest.fixture(autouse=True)
def _signals():
    """The runner's handlers for the length of a test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    raise_on_sigterm()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class StopAt(Reported):
    """A report that has the process asked to stop at a step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.at = step

    def __call__(self, **said) -> None:
        super().__call__(**said)
        if said["step"] == self.at and "resumed_from" not in said:
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def store(place):
    return open_store(place, "volume")


@pytest.fixture
def checkpoints(store):
    return checkpoints_in(store)


def checkpoints_in(store, **parts):
    given = {"attempt": "pod", "job": "tone", "kind": "lora", "pass_version": 1, "inputs": {"input": "base"}} | parts
    return CheckpointStore(Cache(store, "team"), "k" * 32, **given)


def names(store):
    """Folders of checkpoints, complete or not."""
    return sorted({info.key.split("/")[4] for info in store.list("team/cache/" + "k" * 32 + "/checkpoints/")})


def run_until(step, model, output, config, checkpoints):
    """Runs a pass that is asked to stop at a step."""
    raise_on_sigterm()
    with pytest.raises(Interrupted) as caught:
        tune(model, output, config, checkpoints=checkpoints, report=StopAt(step))
    assert str(step) in str(caught.value)


def test_a_checkpoint_is_told_once_the_store_has_it_and_again_by_the_pod_that_goes_on_from_it(store, tmp_path):
    folder, told = tmp_path / "state", []
    folder.mkdir()
    (folder / "adapter").write_bytes(b"weights")
    checkpoints_in(store, on_kept=told.append).save(40, folder, keep=1)
    assert told == [40]
    checkpoints_in(store, on_kept=told.append).restore(tmp_path / "resumed")
    assert told == [40, 40]
    other = checkpoints_in(store, on_kept=told.append, inputs={"input": "another base"})
    assert other.restore(tmp_path / "other") is None
    assert told == [40, 40]


def files(directory):
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir())}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_what_was_stopped_and_went_on_is_byte_for_byte_what_ran_through(tiny_phi3, tmp_path, config, checkpoints):
    tune(tiny_phi3, tmp_path / "through", config)
    run_until(IN_AN_EPOCH, tiny_phi3, tmp_path / "stopped", config, checkpoints)

    tune(tiny_phi3, tmp_path / "resumed", config, checkpoints=checkpoints)

    assert files(tmp_path / "resumed") == files(tmp_path / "through")


def test_models_of_every_family_go_on_as_if_nothing_had_been(tiny_family, tmp_path, checkpoints):
    config = lora(**COMMON, training=TRAINING | {"maxSteps": 6})
    tune(tiny_family, tmp_path / "through", config)
    run_until(IN_AN_EPOCH, tiny_family, tmp_path / "stopped", config, checkpoints)

    tune(tiny_family, tmp_path / "resumed", config, checkpoints=checkpoints)

    assert files(tmp_path / "resumed") == files(tmp_path / "through")


def test_it_may_be_stopped_again_and_between_epochs_and_tells_where_it_went_on(tiny_phi3, tmp_path, checkpoints):
    config = CONFIGS["lora in order of length"]
    tune(tiny_phi3, tmp_path / "through", config)
    for step in (IN_AN_EPOCH, AT_ITS_END, LATER):
        run_until(step, tiny_phi3, tmp_path / f"until-{step}", config, checkpoints)
    report = Reported()

    result = tune(tiny_phi3, tmp_path / "resumed", config, checkpoints=checkpoints, report=report)

    assert files(tmp_path / "resumed") == files(tmp_path / "through")
    assert report.steps[0] == {"step": LATER, "total_steps": 11, "resumed_from": LATER, "micro_batch": None}
    assert [said["step"] for said in report.steps[1:]] == [9, 10, 11]
    assert float(result.metrics["tokensPerSecond"]) > 0


def test_evaluation_at_steps_and_at_the_start_is_not_done_again(tiny_phi3, tmp_path, checkpoints):
    training = TRAINING | {"evalStrategy": "steps", "evalSteps": 2, "extra": {"eval_on_start": "true"}}
    config = lora(**COMMON, training=training)
    tune(tiny_phi3, tmp_path / "through", config)
    run_until(IN_AN_EPOCH, tiny_phi3, tmp_path / "stopped", config, checkpoints)

    tune(tiny_phi3, tmp_path / "resumed", config, checkpoints=checkpoints)

    assert files(tmp_path / "resumed") == files(tmp_path / "through")


def test_making_checkpoints_changes_nothing_and_the_newest_few_are_kept(tiny_phi3, tmp_path, store, checkpoints):
    often = lora(**COMMON, training=TRAINING | {"saveSteps": 1, "saveTotalLimit": 3})
    tune(tiny_phi3, tmp_path / "without", often)

    tune(tiny_phi3, tmp_path / "with", often, checkpoints=checkpoints)

    assert files(tmp_path / "with") == files(tmp_path / "without")
    assert 1 <= len(names(store)) <= 3


def test_an_interval_in_seconds_makes_checkpoints_too(tiny_phi3, tmp_path, store, checkpoints):
    class Slow(Reported):
        def __call__(self, **said) -> None:
            super().__call__(**said)
            end = time.monotonic() + 1.1
            while said["step"] == 3 and time.monotonic() < end:  # a step of more than a second
                pass

    config = lora(training={"saveSeconds": 1, "saveTotalLimit": 16})
    tune(tiny_phi3, tmp_path / "adapter", config, checkpoints=checkpoints, report=Slow())

    assert "00000003-pod" in names(store)


def test_without_an_interval_there_is_none(tiny_phi3, tmp_path, store, checkpoints):
    tune(tiny_phi3, tmp_path / "adapter", lora(training={"saveSeconds": 0}), checkpoints=checkpoints)

    assert names(store) == []


def test_a_damaged_checkpoint_is_skipped_for_the_one_before(tiny_phi3, tmp_path, store, checkpoints, caplog):
    config = CONFIGS["lora in order of length"]
    tune(tiny_phi3, tmp_path / "through", config)
    for step in (IN_AN_EPOCH, LATER):
        run_until(step, tiny_phi3, tmp_path / f"until-{step}", config, checkpoints)
    newest = f"team/cache/{'k' * 32}/checkpoints/{LATER:08d}-pod/optimizer.pt"
    store.put(newest, b"x" * store.head(newest).size)
    report = Reported()

    with caplog.at_level(logging.WARNING):
        tune(tiny_phi3, tmp_path / "resumed", config, checkpoints=checkpoints, report=report)

    assert f"{LATER:08d}-pod is damaged, or of other inputs; the one before is tried" in caplog.text
    assert report.steps[0]["resumed_from"] == IN_AN_EPOCH
    assert files(tmp_path / "resumed") == files(tmp_path / "through")


def test_a_store_that_takes_no_checkpoint_is_a_warning(tiny_phi3, tmp_path, store, checkpoints, caplog):
    config = lora(training={"saveSteps": 3})
    tune(tiny_phi3, tmp_path / "through", config)
    store.put(f"team/cache/{'k' * 32}/checkpoints", b"a file where a folder has to be")

    tune(tiny_phi3, tmp_path / "adapter", config, checkpoints=checkpoints)

    assert "checkpoint of step 3 is not kept" in caplog.text
    assert files(tmp_path / "adapter") == files(tmp_path / "through")


def test_a_step_that_takes_longer_than_the_grace_period_is_not_waited_for(tiny_phi3, tmp_path, store, checkpoints):
    class Stuck(StopAt):
        def __call__(self, **said) -> None:
            super().__call__(**said)
            while said["step"] == self.at:  # a step that does not end
                pass

    with pytest.raises(Interrupted):
        tune(tiny_phi3, tmp_path / "adapter", checkpoints=checkpoints, report=Stuck(2), grace_seconds=0.2)

    assert names(store) == []


@pytest.mark.parametrize("kind", ["s3", "volume"])
def test_a_checkpoint_counts_once_its_manifest_is_there_and_for_the_same_inputs(place, tmp_path, kind):
    store = open_store(place, kind)
    here, elsewhere = checkpoints_in(store), checkpoints_in(store, inputs={"input": "another base"})
    (tmp_path / "made" / "deep").mkdir(parents=True)
    (tmp_path / "made" / "deep" / "file").write_bytes(b"state")
    here.save(5, tmp_path / "made", keep=2)
    store.put(f"team/cache/{'k' * 32}/checkpoints/00000009-other/deep/file", b"half an upload")

    assert elsewhere.restore(tmp_path / "fetched") is None
    assert here.restore(tmp_path / "fetched") == 5
    assert (tmp_path / "fetched" / "deep" / "file").read_bytes() == b"state"


def test_checkpoints_of_other_inputs_take_no_place_of_those_that_count(store, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "file").write_bytes(b"state")
    for step in (400, 500):
        checkpoints_in(store, inputs={"input": "another base"}).save(step, tmp_path / "made", keep=2)
    here = checkpoints_in(store)

    assert here.restore(tmp_path / "fetched") is None
    for step in (10, 20):
        here.save(step, tmp_path / "made", keep=2)

    assert here.restore(tmp_path / "fetched") == 20


@pytest.mark.parametrize("kind", ["s3", "volume"])
def test_older_checkpoints_and_cut_off_uploads_go_and_in_the_end_all(place, tmp_path, kind):
    store = open_store(place, kind)
    here = checkpoints_in(store)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "file").write_bytes(b"state")
    store.put(f"team/cache/{'k' * 32}/checkpoints/00000002-gone/file", b"half an upload")
    for step in (1, 3, 10, 100):
        here.save(step, tmp_path / "made", keep=2)

    assert names(store) == ["00000010-pod", "00000100-pod"]
    here.clear()
    assert names(store) == []
