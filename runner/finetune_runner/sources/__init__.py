"""Where base models and rows come from: pinned in prepare, fetched in a stage."""
