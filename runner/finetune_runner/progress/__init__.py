"""What the pod says of itself while it works: pulled by the operator and by Prometheus."""
