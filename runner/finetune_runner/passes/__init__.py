"""The passes: each turns one directory into another, and twice gives the same."""
