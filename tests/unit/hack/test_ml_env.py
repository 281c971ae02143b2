"""The machine-learning environment that pods mount."""

import os

from images import ml_env


def test_the_kubelet_finds_its_root_with_the_pods_group_and_looks_no_further(tmp_path, monkeypatch):
    """As OnRootMismatch asks for it: the group's, which may do all, and gives it to what is made there."""
    given = []
    monkeypatch.setattr(os, "chown", lambda *owner: given.append(owner))
    ml_env.open_to_pods(tmp_path)
    assert given == [(tmp_path, -1, ml_env.POD_GROUP)]
    assert tmp_path.stat().st_mode & 0o2770 == 0o2770
