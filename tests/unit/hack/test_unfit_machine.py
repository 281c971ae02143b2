"""A machine that can't have the cluster is told all that is wrong with it, in words and not by a traceback."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import cli, preflight
from cluster.errors import ClusterError

HACK = Path(__file__).parents[3] / "hack"


@pytest.fixture
def debian(monkeypatch):
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "12"})
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def no_such_file():
    raise FileNotFoundError("/etc/os-release")


@pytest.mark.usefixtures("debian")
def test_a_fit_one_is_told_what_was_found():
    assert preflight.check(0, go=False)[:3] == ["Debian 12", "x86_64", "root"]


@pytest.mark.usefixtures("debian")
def test_everything_that_is_wrong_is_told_at_once(monkeypatch):
    monkeypatch.setattr(platform, "freedesktop_os_release", no_such_file)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    with pytest.raises(ClusterError) as told:
        preflight.check(10**6)
    assert [line.split(":")[0] for line in str(told.value).splitlines()[1:4]] == ["- Darwin", "- arm64", "- not root"]
    assert "1000000 needed" in str(told.value)


@pytest.mark.usefixtures("debian")
def test_a_python_that_does_not_know_the_system_is_told_of_itself(monkeypatch):
    monkeypatch.delattr(platform, "freedesktop_os_release")
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(ClusterError, match=r"3\.11 or later is needed"):
        preflight.check(0, go=False)


def test_the_demo_looks_at_the_machine_before_it_imports_what_an_older_python_lacks():
    code = "import sys; sys.modules['tomllib'] = None; import demo.preflight"
    subprocess.run([sys.executable, "-c", code], cwd=HACK, check=True)


def test_who_may_not_write_where_clusters_are_is_told_to_be_root(monkeypatch, capsys):
    def refused(*_):
        raise PermissionError(13, "Permission denied", "/run/finetune-operator")

    monkeypatch.setattr(cli.lifecycle, "down", refused)
    assert cli.main(["down", "--name", "nobodys"]) == 1
    assert "run this with sudo -E" in capsys.readouterr().err
