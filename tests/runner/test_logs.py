"""How much a pod logs is what engine.logLevel says."""

import subprocess
import sys

import pytest

from finetune_runner import logs

PROGRAM = """
import logging, os, sys
from finetune_runner import logs
from finetune_runner.passes.child_process import run_logged

logs.configure(level=sys.argv[1], style="text")
run_logged([sys.executable, "-c", "print('from the builder')"], {}, lambda line: None)
for level in ("info", "warning", "error"):
    getattr(logging.getLogger("finetune_runner.x"), level)("as " + level)
logging.getLogger("botocore.auth").debug("Authorization: secret")
print(os.environ["TRANSFORMERS_VERBOSITY"])
"""


def logged(level):
    """What stands in the log, and how much transformers will log."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM, level], capture_output=True, text=True, check=True)
    return [line.rpartition(": ")[2] for line in ended.stderr.splitlines()], ended.stdout.strip()


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", (["from the builder", "as info", "as warning", "as error"], "info")),
        ("info", (["as info", "as warning", "as error"], "warning")),
        ("warning", (["as warning", "as error"], "warning")),
        ("error", (["as error"], "error")),
    ],
)
def test_the_level_decides_what_is_logged(level, expected):
    assert logged(level) == expected


ENDS = """
import logging
from finetune_runner import logs
from finetune_runner.redaction import keep_secret

keep_secret("hunter22")
logs.configure(level="info", style="text")
log = logging.getLogger("finetune_runner.x")
for step in range(100):
    log.debug("unsaid")
    log.info("step %d with hunter22", step)
print(logs.last_lines())
"""


def test_the_end_of_the_log_is_kept_for_the_last_word_as_it_stands_there():
    ended = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True)
    kept = ended.stdout.splitlines()
    assert kept == ended.stderr.splitlines()[-logs.LAST_RECORDS :]
    assert "hunter22" not in ended.stdout
