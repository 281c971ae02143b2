"""Why a merge takes the whole model into memory."""


class UnfitError(Exception):
    """Merging shard by shard might not give what peft gives; the text says why."""
