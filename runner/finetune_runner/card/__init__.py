"""README.md beside a published artifact: a model card as the Hugging Face hub reads it. Pure.

https://huggingface.co/docs/hub/model-cards
"""

from finetune_runner.card import figures, making, usage
from finetune_runner.card.front_matter import front_matter
from finetune_runner.publishing.made import Made


def model_card(made: Made) -> str:
    """The card of an artifact: what it is, how it was made, what was measured, and how to run it."""
    sections = [
        f"---\n{front_matter(made)}\n---",
        f"# {made.document.name}",
        making.summary(made),
        making.verification(made),
        "## How it was made",
        making.inputs(made),
        making.parameters(made),
        "## Figures",
        figures.table(made),
        figures.gates(made),
        "## What was lost on the way",
        figures.lost(made),
        "## How to run it",
        usage.how_to_run(made),
        "## Files",
        making.files(made),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"
