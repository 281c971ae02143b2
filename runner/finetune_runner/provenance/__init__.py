"""Where a published artifact comes from, so that others can check it and make it again (docs/provenance.md)."""
