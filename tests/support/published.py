"""Artifacts as a job publishes them."""

import json
from pathlib import Path
from typing import Any

from finetune_runner.store.manifest import MANIFEST, files_of, manifest_of


def publish_here(folder: Path) -> Path:
    """Writes the manifest of what lies in a folder."""
    files = [file for file in files_of(folder) if file.path != MANIFEST]
    manifest = manifest_of(
        files=files, kind="model_builder", pass_version=1, attempt="", inputs={}, metrics={}, libraries={}
    )
    (folder / MANIFEST).write_bytes(manifest.encode())
    return folder


def flip_bit(file: Path) -> None:
    """Changes one bit in the middle of a file; its size stays."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def change_digest(folder: Path) -> None:
    """Lets the manifest say another digest of the whole."""
    edit_manifest(folder, lambda manifest: manifest.update(digest="0" * 64))


def edit_manifest(folder: Path, edit: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    edit(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
