"""Both kinds of store, and writers that race for them."""

import threading
from collections.abc import Callable
from typing import Any

from finetune_api.resource.locations import S3Location, VolumeLocation
from finetune_runner.store.object_store import ObjectStore
from finetune_runner.store.opening import open_s3, open_volume
from runner_place import Place


def open_store(place: Place, kind: str) -> ObjectStore:
    """A store in the test's bucket (s3), or in a volume (volume)."""
    if kind == "volume":
        (place.layout.volumes / "models").mkdir(parents=True, exist_ok=True)
        return open_volume(VolumeLocation(claim_name="models", path="kept"), place.layout, "spec.store.volume")
    return open_s3(S3Location(**place.bucket.location("kept")), place.layout, "spec.store.s3")


def in_parallel(work: Callable[[int], Any], count: int) -> list[Any]:
    """Results of work(0) … work(count - 1), all begun at the same moment."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
