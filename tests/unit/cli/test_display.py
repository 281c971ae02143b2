"""finetune run: how far it is."""

from finetune_api.resource.progress import Progress
from finetune_cli.local.display import at_its_end, figures


def test_a_pass_that_has_ended_has_nothing_left():
    last = Progress(pass_="tune", percent=83, step=5, total_steps=6, loss="1.5", eta_seconds=2)
    assert figures(at_its_end(last)) == "  loss 1.5"
