"""buildah's own folder: what is kept in it from build to build, and what is not."""

from pathlib import Path

import pytest
from images import storage


def test_what_killed_builds_have_left_goes_and_what_they_cache_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path))
    scratch = tmp_path / "buildah" / "tmp"
    for name in ("buildah-cache/uv/wheel", "buildah1493577727/layer", "storage523720634/layer", "auth.json"):
        file = scratch / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    storage.clear_scratch()
    assert [file.name for file in scratch.iterdir()] == ["buildah-cache"]
    assert (scratch / "buildah-cache" / "uv" / "wheel").exists()
