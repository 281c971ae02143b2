"""The operator: kopf is the shell, the work is level-based: observe → decide (pure) → act → one status write."""
