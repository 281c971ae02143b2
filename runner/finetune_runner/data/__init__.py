"""Rows become examples, and examples become tokens: the one rendering for training, evaluation and generation."""
