"""A job's ways through two stages: the states that it gets into on each, by the operator's core."""

from dataclasses import dataclass
from typing import Any

from api_specs import wire_spec
from finetune_api.failures import EXIT_CODES, Reason
from finetune_operator.observed import Child
from operator_world import World

FIRST, SECOND = "first", "second"
RUNNING, SUSPENDED, WAITING = ("Running", FIRST), ("Suspended", ""), ("Waiting", FIRST)
State = tuple[str, str]
"""Phase and current pass."""
ROUNDS = 30
"""More than it takes."""
NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}


@dataclass(frozen=True)
class Way:
    """What happens in the first stage."""

    suspended: bool = False
    """The job, as that stage runs, and resumed once it is."""
    unscheduled: bool = False
    """Its pod, until a node comes."""
    failing: bool = False
    """Its pod, with what no other try can change."""


WITH_A_SUSPENSION, WITH_A_WAIT, TO_A_FAILURE = Way(suspended=True), Way(unscheduled=True), Way(failing=True)
WAYS = (WITH_A_SUSPENSION, WITH_A_WAIT, TO_A_FAILURE)


def states(way: Way) -> list[State]:
    """In the order in which it gets into them, from the moment that the operator has seen the job."""
    world = World(spec=wire_spec([(FIRST, "gpu", "lora"), (SECOND, "cpu", "merge")]))
    found: list[State] = []
    for _ in range(ROUNDS):
        world.round()
        state = (str(world.status.phase), world.status.current_pass)
        if state not in found:
            found.append(state)
            if way.suspended and state in (RUNNING, SUSPENDED):
                world.suspend(state == RUNNING)
        elif world.live:
            _go_on(way, world, world.only)
        world.finish_deletions()
        if world.status.terminal:
            return found
    msg = f"after {ROUNDS} rounds it has come to {found}"
    raise AssertionError(msg)


def states_alone(way: Way) -> list[State]:
    """Those of them that it gets into on no way before this one."""
    before = {state for other in WAYS[: WAYS.index(way)] for state in states(other)}
    return [state for state in states(way) if state not in before]


def _go_on(way: Way, world: World, child: Child) -> None:
    """Its pod is made, then runs, then ends."""
    pods = {name: pod for name, pod in world.pods.items() if pod["metadata"]["ownerReferences"][0]["uid"] == child.uid}
    world.lose_pods(child)
    if not pods:
        world.start_pod(child, running=False, **_before_it_runs(way, child))
    elif any(pod["status"]["phase"] == "Pending" for pod in pods.values()):
        world.start_pod(child)
    elif way.failing and child.stage == 0:
        world.fail_job(EXIT_CODES[Reason.DEADLINE_EXCEEDED])
    else:
        world.succeed(child)


def _before_it_runs(way: Way, child: Child) -> dict[str, Any]:
    return {"conditions": [NO_NODE]} if way.unscheduled and child.stage == 0 else {}
