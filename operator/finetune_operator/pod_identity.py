"""The user and the groups that the pods of jobs run as. Pure."""

from typing import Any

from pydantic import Field

from finetune_api.resource.base import Model

USER = 10001
"""Of no special meaning on the node; the images' user."""
HIGHEST_ID = 2**31 - 1


class PodIdentity(Model):
    """As in a pod's securityContext; what is unset is left out, so that the platform assigns one, as OpenShift does."""

    run_as_user: int | None = Field(default=None, ge=1, le=HIGHEST_ID, description="User.")
    run_as_group: int | None = Field(default=None, ge=0, le=HIGHEST_ID, description="Primary group.")
    fs_group: int | None = Field(default=None, ge=1, le=HIGHEST_ID, description="Group of the volumes' files.")


def own_identity() -> PodIdentity:
    """The images' user, everywhere."""
    return PodIdentity(run_as_user=USER, run_as_group=USER, fs_group=USER)


def pod_security_context(identity: PodIdentity) -> dict[str, Any]:
    """What Pod Security `restricted` asks of a pod, and who it runs as."""
    return {
        "runAsNonRoot": True,
        **identity.to_wire(),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
