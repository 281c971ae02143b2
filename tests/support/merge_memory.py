"""How much memory a merge takes, measured in a process of its own: `python merge_memory.py WAY BASE ADAPTER FOLDER`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from memory_peak import LEFT_TO_HEAP, Peak


class Taken(NamedTuple):
    """At the peak of merging, in bytes."""

    anonymous: int
    resident: int


def measured(way: str, base: Path, adapter: Path, folder: Path) -> Taken:
    """What merging takes.

    Args:
        way: shards, or whole.
        base: the model's directory.
        adapter: the adapter's.
        folder: an empty one.
    """
    command = [sys.executable, __file__, way, *map(str, (base, adapter, folder))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | LEFT_TO_HEAP)
    return Taken(*json.loads(done.stdout))


def main(way: str, base: Path, adapter: Path, folder: Path) -> None:
    from finetune_runner.process import without_compiler

    without_compiler()  # as in a stage that does not compile

    from finetune_runner.passes.merging.by_shard import merge_by_shard
    from finetune_runner.passes.merging.whole import merge_whole
    from passes import Reported

    def merge(output: Path) -> None:
        output.mkdir()
        if way == "shards":
            merge_by_shard(base, adapter, output, Reported(), None)
        else:
            merge_whole(base, adapter, output, Reported(), None, trust_remote_code=False)

    if way == "shards":
        merge(folder / "once")  # what libraries load at first use is none of the merge's memory
    with Peak() as peak:
        merge(folder / "again")
    sys.stdout.write(json.dumps([peak.anonymous, peak.resident]))


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
