"""Where the outputs of passes lie: an object store, and what a committed output is."""
