"""Build the images of this checkout, and put them into a cluster, without a registry or an engine."""
