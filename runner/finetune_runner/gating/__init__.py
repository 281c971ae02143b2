"""Whether what was made may be published, and which of several variants it is."""
