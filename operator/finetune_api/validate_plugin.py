"""What can be said about a plugin pass without the plugin. Pure."""

import json
from collections.abc import Iterator

from finetune_api.plan import prepare_system, system_name
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass

MAX_CONFIG_BYTES = 16 * 1024
"""32 of them stay well below a ConfigMap's mebibyte."""


def plugin_problems(spec: FineTuneJobSpec, step: Pass, path: str) -> Iterator[Problem]:
    """What is wrong with a plugin pass, whatever the plugin.

    Args:
        spec: the spec it is part of.
        step: a pass with a plugin.
        path: of the plugin, such as spec.passes[1].plugin.
    """
    assert step.plugin is not None  # noqa: S101  the caller's choice
    size = len(json.dumps(step.plugin.config).encode())
    if size > MAX_CONFIG_BYTES:
        message = f"{size} bytes of JSON, and at most {MAX_CONFIG_BYTES} are taken"
        yield Problem(f"{path}.config", message, "have the plugin read the rest from a volume")
    images = {system.name: system.image for system in spec.systems}
    own, prepares = system_name(spec, step), prepare_system(spec)
    if own in images and prepares in images and images[own] != images[prepares]:
        yield Problem(
            path,
            f"system {own!r} has another image than {prepares!r}, in whose image all plugins are checked",
            "put all plugins into one image, and name it in each of these systems",
        )
