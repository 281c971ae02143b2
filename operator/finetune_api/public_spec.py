"""A spec as it may stand beside a published artifact, whose readers are others than the job's. Pure."""

from typing import Any
from urllib.parse import urlsplit

from finetune_api.resource.job import FineTuneJobSpec

ENDPOINT = "endpoint"


def public_spec(spec: FineTuneJobSpec) -> dict[str, Any]:
    """The spec on the wire, without what is nobody else's business.

    Left out are the values of systems' environment variables, user and password in endpoints, and inline rows. Secrets
    are only ever named in a spec.
    """
    wire: dict[str, Any] = _without_credentials(spec.to_wire())
    for system in wire["systems"]:
        for variable in system["env"]:
            variable.pop("value", None)
    for config in wire["dataConfigs"]:
        config["source"].pop("inline", None)
    return wire


def public_endpoint(url: str) -> str:
    """An endpoint without user and password."""
    if "@" not in url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _without_credentials(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _public(key, item) for key, item in value.items()}
    return [_without_credentials(item) for item in value] if isinstance(value, list) else value


def _public(key: str, value: Any) -> Any:
    return public_endpoint(value) if key == ENDPOINT and isinstance(value, str) else _without_credentials(value)
