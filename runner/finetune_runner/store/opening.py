"""From a location in the spec to its object store."""

from pathlib import Path

from finetune_api.resource.job import Output, Store
from finetune_api.resource.locations import S3Location, VolumeLocation
from finetune_runner.layout import PodLayout
from finetune_runner.store.object_store import ObjectStore


def open_location(place: Store | Output, layout: PodLayout, path: str) -> ObjectStore:
    """The store of spec.store or spec.output.

    Args:
        place: the one-of.
        layout: where secrets and volumes lie.
        path: its place in the spec, such as spec.store.
    """
    if place.s3:
        return open_s3(place.s3, layout, f"{path}.s3")
    assert place.volume is not None  # noqa: S101  the one-of's other member
    return open_volume(place.volume, layout, f"{path}.volume")


def open_s3(location: S3Location, layout: PodLayout, path: str) -> ObjectStore:
    from finetune_runner.store.s3 import S3Store  # noqa: PLC0415

    return S3Store(location, secrets=layout.secrets, scratch=layout.work / "tmp", path=path)


def open_volume(location: VolumeLocation, layout: PodLayout, path: str) -> ObjectStore:
    from finetune_runner.store.volume import VolumeStore  # noqa: PLC0415

    return VolumeStore(
        mount=Path(layout.volumes / location.claim_name), folder=location.path, claim=location.claim_name, path=path
    )
