"""Two demos at once would share a job: the second says that one is running, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import neighbours
from demo import preflight, story
from demo.alone import alone

HACK = Path(__file__).parents[3] / "hack"
HOLDER = """
import sys
from pathlib import Path
from cluster import neighbours
from demo.alone import alone
neighbours.LOCKS = Path(sys.argv[1])
with alone():
    print("holds", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def done(tmp_path, monkeypatch):
    """What demos on a machine of their own have done."""
    done = []
    monkeypatch.setattr(neighbours, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(preflight, "check", lambda: None)
    monkeypatch.setattr(story, "_run", lambda: done.append("ran"))
    return done


def test_a_second_demo_says_which_process_runs_one_and_changes_nothing(done, capsys):
    with alone():
        assert (preflight.main(), story.main()) == (1, 1)
    assert done == []
    told = capsys.readouterr().err
    assert told.count(f"a demo is running on this machine already (process {os.getpid()})") == 2
    assert "wait until it has ended" in told


def test_one_after_the_other_runs(done):
    assert (preflight.main(), story.main(), story.main()) == (0, 0, 0)
    assert done == ["ran", "ran"]


def test_one_that_was_killed_is_in_nobodys_way(done, capsys):
    command = [sys.executable, "-c", HOLDER, str(neighbours.LOCKS)]
    with subprocess.Popen(command, cwd=HACK, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "holds\n"
        assert story.main() == 1
        assert f"(process {holder.pid})" in capsys.readouterr().err
        holder.kill()
    assert story.main() == 0
    assert done == ["ran"]
