"""What stores keep, and for how long."""
