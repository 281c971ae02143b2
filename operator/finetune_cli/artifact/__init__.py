"""Published artifacts, as whoever uses them finds them: in a bucket or in a folder."""
