"""A job's way through two stages, suspended in the first: the states it gets into, by the operator's core."""

from api_specs import wire_spec
from finetune_operator.observed import Child
from operator_world import World

FIRST, SECOND = "first", "second"
RUNNING, SUSPENDED = ("Running", FIRST), ("Suspended", "")
State = tuple[str, str]
"""Phase and current pass."""
ROUNDS = 30
"""More than it takes."""


def states() -> list[State]:
    """In the order in which it gets into them, from the moment that the operator has seen the job."""
    world = World(spec=wire_spec([(FIRST, "gpu", "lora"), (SECOND, "cpu", "merge")]))
    found: list[State] = []
    for _ in range(ROUNDS):
        world.round()
        state = (str(world.status.phase), world.status.current_pass)
        if state not in found:
            found.append(state)
            if state == RUNNING:
                world.suspend(True)
            elif state == SUSPENDED:
                world.suspend(False)
        elif world.live:
            _go_on(world, world.only)
        world.finish_deletions()
        if world.status.terminal:
            return found
    msg = f"after {ROUNDS} rounds it has come to {found}"
    raise AssertionError(msg)


def _go_on(world: World, child: Child) -> None:
    """Its pod starts, then runs, then ends well."""
    pods = {name: pod for name, pod in world.pods.items() if pod["metadata"]["ownerReferences"][0]["uid"] == child.uid}
    if not pods:
        world.start_pod(child, running=False)
    elif any(pod["status"]["phase"] == "Pending" for pod in pods.values()):
        world.lose_pods(child)
        world.start_pod(child)
    else:
        world.lose_pods(child)
        world.succeed(child)
