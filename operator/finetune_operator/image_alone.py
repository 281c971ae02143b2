"""What a system gives pods that are to run their image's code alone: the operator's, and the one that signs. Pure."""

from finetune_api.resource.systems import EnvVar, System
from finetune_api.validate.mounts import is_environment

FAMILIES = ("PYTHON", "_PYTHON", "LD_", "OPENSSL_", "GLIBC_")
"""Python's own, such as PYTHONPATH; the dynamic loader's; OpenSSL's, whose configuration names libraries to load."""
NAMES = frozenset(
    {
        *("PATH", "VIRTUAL_ENV"),  # which program the command is, and whose packages it has
        *("HOME", "XDG_CONFIG_HOME"),  # where Python looks for packages, and boto3 and others for a configuration
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),  # their credential_process is a command
        *("BASH_ENV", "ENV"),  # what a shell runs first
        "GCONV_PATH",  # libraries that the C library loads
    }
)
"""All else is an address, a credential, a certificate or a place of data."""


def image_alone(system: System) -> System:
    """The system without what would add to the image's code, or replace it."""
    kept = [volume for volume in system.volumes if not is_environment(volume)]
    env = [variable for variable in system.env if not leads_to_code(variable)]
    return system.model_copy(update={"volumes": kept, "env": env})


def leads_to_code(variable: EnvVar) -> bool:
    """Whether a process finds code to run by it."""
    return variable.name in NAMES or variable.name.startswith(FAMILIES)
