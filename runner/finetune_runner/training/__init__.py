"""Training an adapter: batches, loss, loop, progress."""
