"""What the operator tells Prometheus: docs/operations.md lists it."""
