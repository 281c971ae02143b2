"""What is published beside an artifact's own files."""

from finetune_runner.card import model_card
from finetune_runner.made import Made
from finetune_runner.store.beside_names import CARD, REPORT


def beside(made: Made) -> dict[str, bytes]:
    """Name to content; a file of the artifact's own that has such a name stays."""
    own = {file.path for file in made.manifest.files}
    files = {REPORT: made.report.encode(), CARD: model_card(made).encode()}
    return {name: content for name, content in files.items() if name not in own}
