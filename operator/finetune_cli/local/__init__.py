"""A job's chain on this machine: the runner's own prepare and stages, in a folder that looks like a pod's root."""
