"""Whether an artifact is the one that its provenance speaks of."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from finetune_runner.provenance.envelope import Opened, is_signed_by, opened
from finetune_runner.provenance.keys import public_key_of
from finetune_runner.store.beside_names import BESIDE, PROVENANCE
from finetune_runner.store.damage import Damage
from finetune_runner.store.manifest import Manifest

Read = Callable[[str], bytes | None]
"""A small file's content by its name; None where there is none."""


@dataclass(frozen=True)
class Checked:
    """What was found."""

    damages: list[Damage]
    found: Opened | None
    """The statement, if there is one that can be read."""
    is_signed: bool = False
    """Whether the given key signed it."""


def check(manifest: Manifest, read: Read, public_key: bytes | None) -> Checked:
    """Compares an artifact with its provenance, and the signature with a key.

    That files are what the manifest says is checked elsewhere: here the manifest is held beside the statement.

    Args:
        manifest: of the artifact.
        read: reads what was published beside it.
        public_key: PEM; without one nobody's word is taken for the statement.

    Raises:
        ValueError: the public key is none.
    """
    key = public_key_of(public_key) if public_key is not None else None
    content = read(PROVENANCE)
    if content is None:
        missing = [Damage(PROVENANCE, "is missing, so that no signature can be checked")] if key else []
        return Checked(missing, None)
    try:
        found = opened(content)
    except ValueError as error:
        return Checked([Damage(PROVENANCE, f"can't be read: {error}")], None)
    is_signed = key is not None and is_signed_by(found, key)
    damages = list(_of_the_signature(found, is_signed=is_signed, asked=key is not None))
    return Checked([*damages, *_of_the_subjects(found, manifest, read)], found, is_signed)


def _of_the_signature(found: Opened, *, is_signed: bool, asked: bool) -> Iterator[Damage]:
    if is_signed or not asked:
        return
    if found.envelope is None or not found.envelope.signatures:
        yield Damage(PROVENANCE, "is not signed")
    else:
        yield Damage(PROVENANCE, "its signature is not by this key, or it was changed after it was signed")


def _of_the_subjects(found: Opened, manifest: Manifest, read: Read) -> Iterator[Damage]:
    claimed = {subject.name: subject.digest.get("sha256", "") for subject in found.statement.subject}
    if len(claimed) != len(found.statement.subject):
        yield Damage(PROVENANCE, "names a file twice")
    there = {file.path: file.sha256 for file in manifest.files}
    for name in BESIDE - {PROVENANCE} - set(there):
        content = read(name)
        if content is not None:
            there[name] = hashlib.sha256(content).hexdigest()
    for name in sorted(set(claimed) | set(there)):
        if name not in there:
            yield Damage(name, "is missing, and the provenance names it")
        elif name not in claimed:
            yield Damage(name, "is not in the provenance")
        elif there[name] != claimed[name]:
            yield Damage(name, f"its sha256 is {there[name]}, and in the provenance {claimed[name] or 'there is none'}")
