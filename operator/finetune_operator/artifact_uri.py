"""Where a committed pass output lies, as status says it. Pure."""

from finetune_api.messages import JobDocument
from finetune_api.resource.job import Output, Store


def pass_uri(document: JobDocument, key: str) -> str:
    """<store>/<namespace>/cache/<cache key>; for a volume: volume://<claim>/<path>/…"""
    return f"{place_uri(document.spec.store)}/{document.namespace}/cache/{key}"


def published_uri(document: JobDocument, key: str) -> str:
    """Where the artifact is published: the output, or without one its pass's place in the store."""
    output = document.spec.output
    return place_uri(output) if output else pass_uri(document, key)


def place_uri(place: Store | Output | None) -> str:
    """A store's or an output's place as one text; empty for none."""
    if place and place.s3:
        return place.s3.uri.rstrip("/")
    if place and place.volume:
        return f"volume://{place.volume.claim_name}/{place.volume.path.strip('/')}".rstrip("/")
    return ""
