"""Programs that several builds want at once: each is built by one, and nobody waits for another program."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cluster import binaries, settings

GO = """#!/bin/sh
for package; do :; done
name=$(basename "${package%@*}")
echo "$name" >> "$FAKE_GO/calls"
tries=0
while [ -e "$FAKE_GO/$name-takes-long" ] && [ $((tries += 1)) -lt 500 ]; do sleep 0.01; done
touch "$GOBIN/$name"
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a `go` that writes down what it installs, and takes as long as a file says so, or some seconds."""
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text(GO)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("FAKE_GO", str(tmp_path))
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def takes_long(go: Path, name: str) -> Path:
    file = go / f"{name}-takes-long"
    file.touch()
    return file


def test_a_build_waits_for_no_other_program(go: Path) -> None:
    kwok_takes_long = takes_long(go, "kwok")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(binaries.build, ["kwok"])
        binaries.build(["kube-score"])
        assert binaries.present(binaries.KUBE_SCORE)
        assert not binaries.present(binaries.KWOK)
        kwok_takes_long.unlink()
        first.result()
    assert binaries.present(binaries.KWOK)


def test_who_wants_what_another_builds_finds_it_built(go: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kwok_takes_long = takes_long(go, "kwok")
    told = ""
    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(binaries.build, ["kwok"]) for _ in range(2)]
        while "another builds it" not in told and not all(build.done() for build in builds):
            told += capsys.readouterr().out
        kwok_takes_long.unlink()
        for build in builds:
            build.result()
    assert (go / "calls").read_text().split() == ["kwok"]
    assert f"kwok {settings.KWOK_VERSION}: already built" in told + capsys.readouterr().out
