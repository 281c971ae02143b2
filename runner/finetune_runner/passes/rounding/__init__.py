"""Rounding weights to few bits: block by block, within a graph, in place, and by what calibration rows say."""
