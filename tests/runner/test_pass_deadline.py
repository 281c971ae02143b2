"""A pass that takes longer than its activeDeadlineSeconds ends its pod, with a word of which and why."""

import subprocess
import sys

from finetune_api.failures import EXIT_CODES, Reason
from runner_place import environment

DEAF = """
import signal
from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.pass_deadline import ended_after

signal.signal(signal.SIGTERM, signal.SIG_IGN)
failure = FineTuneError(Reason.DEADLINE_EXCEEDED, "too late")
with ended_after(0.01, failure, grace_seconds=0.01):
    while True:
        signal.pause()
"""


def test_a_tuning_pass_that_takes_too_long_is_named_and_not_tried_again(place, tiny_phi3):
    place.bucket.upload(tiny_phi3, "base")
    lora = {"trainData": "tones", "training": {"maxSteps": 1_000_000, "loggingSteps": 100_000}}
    place.write_job(place.spec(passes=[{"name": "tune", "activeDeadlineSeconds": 1, "lora": lora}]))
    assert place.run("prepare").code == 0
    ended = place.run("stage", "0")
    failure = ended.message.failure
    assert (ended.code, failure.reason) == (EXIT_CODES[Reason.DEADLINE_EXCEEDED], Reason.DEADLINE_EXCEEDED)
    assert (failure.index, failure.path) == (0, "spec.passes[0].activeDeadlineSeconds")
    assert failure.message == "pass 'tune' was not done after 1 seconds"


def test_a_process_that_does_not_hear_is_ended_after_the_grace_period():
    ended = subprocess.run(
        [sys.executable, "-c", DEAF], capture_output=True, check=False, env=environment(), timeout=60
    )
    assert ended.returncode == EXIT_CODES[Reason.DEADLINE_EXCEEDED]
