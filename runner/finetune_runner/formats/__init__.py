"""Files become rows, a batch at a time: one module a format."""
