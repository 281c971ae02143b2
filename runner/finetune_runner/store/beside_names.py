"""Files that are published beside an artifact's own, and are no part of it."""

REPORT = "report.json"
"""All that is known of the job."""
CARD = "README.md"
"""The model card."""
PROVENANCE = "provenance.intoto.json"
"""Where it comes from."""
BESIDE = frozenset({REPORT, CARD, PROVENANCE})
