"""An exported model as whoever uses it meets it: what it is asked, and the runtime that answers."""
