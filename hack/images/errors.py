"""The one error that the command line turns into a message instead of a traceback."""


class ImagesError(Exception):
    """Something a person can put right; the message says what to do."""
