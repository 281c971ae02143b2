"""A training step that hangs, from where no exception gets out, ends the pod with a word of why."""

import subprocess
import sys

from finetune_api.failures import EXIT_CODES, Reason
from runner_place import environment

HANGING = """
import sys, threading
from finetune_runner import __main__ as runner
from finetune_runner.training import step_watch, trainer

step_watch.LEAST_SECONDS = 2
steps = iter(range(1000))
train = trainer.AdapterTrainer.training_step

def hang_at_eight(self, *arguments, **named):
    if next(steps) == 8:
        threading.Event().wait()
    return train(self, *arguments, **named)

trainer.AdapterTrainer.training_step = hang_at_eight
sys.exit(runner.main(sys.argv[1:]))
"""


def test_a_step_that_never_ends_is_a_stall_and_the_log_has_where_it_hung(place, tiny_phi3):
    place.bucket.upload(tiny_phi3, "base")
    training = {"maxSteps": 40, "perDeviceTrainBatchSize": 2}
    place.write_job(place.spec(passes=[{"name": "tune", "lora": {"trainData": "tones", "training": training}}]))
    assert place.run("prepare").code == 0
    arguments = place.command("stage", "0")[3:]
    ended = subprocess.run(
        [sys.executable, "-c", HANGING, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=300,
    )
    failure = place.last_word().failure
    assert (ended.returncode, failure.reason) == (EXIT_CODES[Reason.STALLED], Reason.STALLED)
    assert failure.path == "spec.passes[0].lora.training"
    assert "an optimizer step has not ended after" in failure.message
    assert "hang_at_eight" in ended.stderr
