"""Files that are published beside an artifact's own, and are no part of it."""

from finetune_runner.store.manifest import MANIFEST

REPORT = "report.json"
"""All that is known of the job."""
CARD = "README.md"
"""The model card."""
PROVENANCE = "provenance.intoto.json"
"""Where it comes from."""
BESIDE = frozenset({REPORT, CARD, PROVENANCE})
RESERVED = (MANIFEST, PROVENANCE)
"""Names that no artifact may use itself: they say what it is and who vouches for it. A model card it may bring."""
