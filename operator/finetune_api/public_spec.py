"""A spec as it may stand beside a published artifact, whose readers are others than the job's. Pure."""

from typing import Any

from finetune_api.resource.job import FineTuneJobSpec


def public_spec(spec: FineTuneJobSpec) -> dict[str, Any]:
    """The spec on the wire, without what is nobody else's business.

    Left out are the values of systems' environment variables, and inline rows. Secrets are only ever named in a spec,
    and no endpoint has a user or password in it.
    """
    wire = spec.to_wire()
    for system in wire["systems"]:
        for variable in system["env"]:
            variable.pop("value", None)
    for config in wire["dataConfigs"]:
        config["source"].pop("inline", None)
    return wire
