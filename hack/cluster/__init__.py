"""A real single-node Kubernetes on a bare Debian 12 machine, built from its own sources."""
