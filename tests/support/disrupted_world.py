"""A world whose pods are disrupted: evicted, preempted and the like."""

from api_specs import wire_spec
from finetune_api.failures import SIGTERM_EXIT, Reason
from finetune_api.messages import Checkpoint
from finetune_api.resource.progress import Progress
from finetune_operator.conditions import timestamp
from finetune_operator.observed import Child, Reading
from operator_world import World
from runner_words import failure, message

LIMIT = 2
EVICTED = "EvictionByEvictionAPI"


def prepared(**parts: object) -> World:
    return World(spec=wire_spec(**({"disruptionLimit": LIMIT} | parts))).prepared()


def start(world: World, child: Child | None = None) -> str:
    world.later(30)
    pod = world.start_pod(child or world.only)
    world.pods[pod]["metadata"] |= {"creationTimestamp": timestamp(world.now), "uid": timestamp(world.now)}
    world.round()
    return pod


def disrupt(world: World, pod: str, reason: str = EVICTED) -> None:
    """The pod is asked to end, and says why; it still runs."""
    world.pods[pod]["metadata"]["deletionTimestamp"] = timestamp(world.now)
    world.pods[pod]["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True", "reason": reason}]


def end(world: World, pod: str, step: int | None = None, index: int = 0) -> None:
    """It ends, and says up to which step there is a checkpoint."""
    conditions = world.pods[pod]["status"]["conditions"]
    kept = Checkpoint(index=index, step=step) if step else None
    said = failure(Reason.INTERRUPTED, "the pod was asked to stop", index)
    passes = len(world.spec["passes"])
    word = message("stage", world.committed, passes, failure=said, checkpoint=kept)
    world.end_pod(pod, SIGTERM_EXIT, word, conditions=conditions)


def disrupted(world: World, step: int | None = None, reason: str = EVICTED) -> None:
    """A pod comes and goes, all of which is seen."""
    pod = start(world)
    disrupt(world, pod, reason)
    world.round()
    end(world, pod, step)
    world.round()
    del world.pods[pod]
    world.round()


def shows(world: World, pod: str, **progress: int) -> None:
    """The pod tells its progress."""
    said = Progress.model_validate({"pass": "tune", **progress})
    world.readings = (Reading(world.pods[pod]["metadata"]["uid"], said),)
    world.round()


def count(world: World) -> int:
    return world.status.disruptions.count if world.status.disruptions else 0
