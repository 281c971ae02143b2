"""Imported before torch: a tiny model computes on one thread. Two wait for each other most of the time."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
