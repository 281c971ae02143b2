"""What can be said about passes that need plugins without the plugins. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from finetune_api.plan import metric_plugins, needs_plugins, prepare_system, system_name
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass

MAX_CONFIG_BYTES = 16 * 1024
"""32 of them stay well below a ConfigMap's mebibyte."""


def plugin_problems(spec: FineTuneJobSpec, step: Pass, path: str) -> Iterator[Problem]:
    """What is wrong with a pass that is a plugin or measures with one, whatever the plugin.

    Args:
        spec: the spec it is part of.
        step: any pass.
        path: of its variant, such as spec.passes[1].plugin.
    """
    if not needs_plugins(spec, step):
        return
    if step.plugin:
        yield from _size_problems(step.plugin.config, f"{path}.config")
    for (at, place), metric in metric_plugins(spec, step).items():
        yield from _size_problems(metric.config, f"spec.evaluators[{at}].metrics[{place}].plugin.config")
    images = {system.name: system.image for system in spec.systems}
    own, prepares = system_name(spec, step), prepare_system(spec)
    if own in images and prepares in images and images[own] != images[prepares]:
        yield Problem(
            path,
            f"system {own!r} has another image than {prepares!r}, in whose image all plugins are checked",
            "put all plugins into one image, and name it in each of these systems",
        )


def _size_problems(config: Mapping[str, Any], path: str) -> Iterator[Problem]:
    size = len(json.dumps(config).encode())
    if size > MAX_CONFIG_BYTES:
        message = f"{size} bytes of JSON, and at most {MAX_CONFIG_BYTES} are taken"
        yield Problem(path, message, "have the plugin read the rest from a volume")
