"""A world with Kueue, in which a stage queues."""

from dataclasses import replace

from api_specs import wire_spec
from finetune_operator.observed import Child
from operator_world import SETTINGS, World

QUEUES = [{"name": "gpu", "accelerator": {}, "queueName": "team-a"}, {"name": "cpu"}]
WITH_KUEUE = replace(SETTINGS, kueue=True)
DAYS = 3 * 86400


def queueing(**parts: object) -> World:
    """Prepared, the first stage's Job in its queue."""
    return World(spec=wire_spec(**({"systems": QUEUES} | parts)), settings=WITH_KUEUE).prepared()


def admit(world: World) -> Child:
    world.jobs[world.only.name]["spec"]["suspend"] = False
    return world.only


def evict(world: World) -> None:
    """As Kueue does it: the Job is suspended again, and its pods go."""
    child = world.only
    world.jobs[child.name]["spec"]["suspend"] = True
    world.lose_pods(child)


def told(world: World) -> str:
    return world.status.condition("Reconciling").message
