"""A tuning pass that is killed without a word, at any step, goes on from its last checkpoint; nothing shows of it."""

import random

import pytest

from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.commit import Cache
from finetune_runner.store.digests import directory_digest
from finetune_runner.store.manifest import files_of
from killed_pass import tune_killed_at
from passes import Reported, lora, tune
from stores import open_store

SEED = 8
TIMES = 10
STEPS, SAVE_STEPS = 24, 3

pytestmark = pytest.mark.faults


def test_killed_at_ten_random_steps_it_makes_the_adapter_of_a_run_that_was_not(tiny_phi3, place, tmp_path):
    training = {"maxSteps": STEPS, "saveSteps": SAVE_STEPS, "perDeviceTrainBatchSize": 2, "lrSchedulerType": "cosine"}
    config = lora(dropout=0.2, evalFraction=0.25, training=training)
    tune(tiny_phi3, tmp_path / "through", config)
    chance = random.Random(SEED)

    for time in range(TIMES):
        step, here = chance.randrange(SAVE_STEPS, STEPS), tmp_path / str(time)
        checkpoints = checkpoints_of(place, str(time))
        tune_killed_at(step, tiny_phi3, here / "killed", config, checkpoints)
        report = Reported()
        tune(tiny_phi3, here / "resumed", config, checkpoints=checkpoints, report=report)

        resumed_from = report.steps[0].get("resumed_from", 0)  # the first checkpoint may have been on its way
        assert step - 2 * SAVE_STEPS < resumed_from <= step, f"killed at step {step}"
        assert digest(here / "resumed") == digest(tmp_path / "through"), f"killed at step {step}"


def checkpoints_of(place, key):
    store = open_store(place, "volume")
    return CheckpointStore(
        Cache(store, "team"), key * 32, attempt="pod", job="tone", kind="lora", pass_version=1, inputs={"input": "base"}
    )


def digest(adapter):
    return directory_digest((file.path, file.sha256) for file in files_of(adapter))
