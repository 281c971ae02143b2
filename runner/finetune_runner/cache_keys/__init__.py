"""What decides a pass's output, and the digests of it that name outputs in the store. Pure."""
