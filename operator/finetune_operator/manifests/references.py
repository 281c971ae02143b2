"""Which Secrets, ConfigMaps and claims a job's pods need. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finetune_api.data_used import data_used
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.locations import HuggingFaceRepository, S3Location, VolumeLocation

Location = HuggingFaceRepository | S3Location | VolumeLocation


@dataclass(frozen=True)
class References:
    secrets: tuple[str, ...]
    signing_secret: str
    """The one with the key that signs the artifact; empty for none."""
    config_maps: tuple[str, ...]
    claims: tuple[tuple[str, bool], ...]
    """(claim, writable), one entry a claim: writable when any use of it writes."""


def references(spec: FineTuneJobSpec) -> References:
    """All that the spec's sources, store and output refer to, sorted by name; data that no pass uses is left out."""
    read, written = list(_read(spec)), list(_written(spec))
    return References(
        secrets=_sorted(_secret_names([*read, *written])),
        signing_secret=spec.output.signing.key_secret_ref.name if spec.output and spec.output.signing else "",
        config_maps=_sorted(c.source.config_map.name for c in data_used(spec).values() if c.source.config_map),
        claims=_claims(read, written),
    )


def written_references(spec: FineTuneJobSpec) -> References:
    """What store and output refer to."""
    written = list(_written(spec))
    return References(
        secrets=_sorted(_secret_names(written)), signing_secret="", config_maps=(), claims=_claims([], written)
    )


def _read(spec: FineTuneJobSpec) -> Iterator[Location]:
    source = spec.input_model.source
    yield from _given(source.hugging_face, source.s3, source.volume)
    for config in data_used(spec).values():
        yield from _given(config.source.hugging_face, config.source.s3, config.source.volume)


def _written(spec: FineTuneJobSpec) -> Iterator[Location]:
    for place in (spec.store, spec.output):
        if place:
            yield from _given(place.s3, place.volume)


def _given(*locations: Location | None) -> Iterator[Location]:
    return (location for location in locations if location)


def _secret_names(locations: Iterable[Location]) -> Iterator[str]:
    for location in locations:
        if isinstance(location, S3Location) and location.credentials_secret_ref:
            yield location.credentials_secret_ref.name
        if isinstance(location, HuggingFaceRepository) and location.token_secret_ref:
            yield location.token_secret_ref.name


def _claims(read: Iterable[Location], written: Iterable[Location]) -> tuple[tuple[str, bool], ...]:
    writable = {place.claim_name for place in written if isinstance(place, VolumeLocation)}
    readable = {place.claim_name for place in read if isinstance(place, VolumeLocation)}
    return tuple((claim, claim in writable) for claim in sorted(writable | readable))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
