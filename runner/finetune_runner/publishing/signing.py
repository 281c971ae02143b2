"""The key that signs an artifact's provenance: only a prepare's pod has it, which runs no pass and no plugin."""

from typing import TYPE_CHECKING

from finetune_runner.job import Job
from finetune_runner.provenance.envelope import is_signed_by, opened
from finetune_runner.provenance.keys import private_key_of
from finetune_runner.store.beside_names import PROVENANCE
from finetune_runner.store.object_store import ObjectStore
from finetune_runner.store.secrets import secret_value

if TYPE_CHECKING:
    from finetune_runner.provenance.keys import PrivateKey

PATH = "spec.output.signing.keySecretRef"


def wants_signature(job: Job) -> bool:
    return job.spec.output is not None and job.spec.output.signing is not None


def signing_key(job: Job) -> "PrivateKey | None":
    """The key that the spec names; None where it names none.

    Raises:
        FineTuneError: AuthDenied, the Secret, its key or what it holds is not there or unfit.
    """
    if job.spec.output is None or job.spec.output.signing is None:
        return None
    reference = job.spec.output.signing.key_secret_ref
    return private_key_of(secret_value(job.layout.secrets, reference.name, reference.key, PATH).encode(), PATH)


def is_signed_at(output: ObjectStore, key: "PrivateKey") -> bool:
    """Whether the provenance that is published already is signed by the key."""
    content = output.get(PROVENANCE)
    if content is None:
        return False
    try:
        return is_signed_by(opened(content.data), key.public_key())
    except ValueError:
        return False
