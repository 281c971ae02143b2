"""The demo: from an empty machine to an int4 model that answers."""
