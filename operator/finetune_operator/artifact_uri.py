"""Where a committed pass output lies, as status says it. Pure."""

from finetune_api.messages import JobDocument


def pass_uri(document: JobDocument, key: str) -> str:
    """<store>/<namespace>/cache/<cache key>; for a volume: volume://<claim>/<path>/…"""
    return f"{store_uri(document)}/{document.namespace}/cache/{key}"


def store_uri(document: JobDocument) -> str:
    store = document.spec.store
    if store and store.s3:
        return store.s3.uri.rstrip("/")
    if store and store.volume:
        return f"volume://{store.volume.claim_name}/{store.volume.path.strip('/')}".rstrip("/")
    return ""
