"""What is published beside an artifact's own files."""

from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.card import model_card
from finetune_runner.provenance import envelope
from finetune_runner.provenance.statement import statement_of
from finetune_runner.publishing.made import Made
from finetune_runner.store.beside_names import CARD, PROVENANCE, REPORT, RESERVED
from finetune_runner.store.manifest import Manifest

if TYPE_CHECKING:
    from finetune_runner.provenance.keys import PrivateKey

DISTRIBUTION = "finetune-operator"


def beside(made: Made, key: "PrivateKey | None") -> dict[str, bytes]:
    """Name to content; a model card or report of the artifact's own stays.

    Args:
        made: the artifact.
        key: signs its provenance; None for nobody.
    """
    own = {file.path for file in made.manifest.files}
    told = {REPORT: made.report.encode(), CARD: model_card(made).encode()}
    files = {name: content for name, content in told.items() if name not in own}
    files[PROVENANCE] = _provenance(made, files, key)
    return files


def refuse_reserved(manifest: Manifest) -> None:
    """That no file of an artifact takes the place of its manifest or provenance.

    Raises:
        FineTuneError: InvalidSpec, one does.
    """
    for name in RESERVED:
        if any(file.path == name for file in manifest.files):
            raise FineTuneError(
                Reason.INVALID_SPEC,
                f"the artifact has a file {name} of its own, and that name is ours",
                remedy="Have the plugin that writes it name it otherwise, and raise the version of its package.",
                path="spec.passes",
            )


def _provenance(made: Made, files: dict[str, bytes], key: "PrivateKey | None") -> bytes:
    statement = statement_of(made, files, version=metadata.version(DISTRIBUTION), finished=_now())
    return envelope.signed(statement, key) if key else envelope.plain(statement)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
