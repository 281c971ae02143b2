"""An artifact's way out: what lies beside it, how it is signed, and how it is taken back."""
