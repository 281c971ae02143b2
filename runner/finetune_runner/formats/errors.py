"""What is wrong with a file as a whole."""


class UnreadableFileError(ValueError):
    """A file whose rows can't be told apart: what is wrong, what to do, and the data config's field to look at."""

    def __init__(self, why: str, remedy: str, field: str = "source") -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.field = field
