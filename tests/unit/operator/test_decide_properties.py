from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from finetune_operator.observed import Child
from operator_world import World

Life = list[tuple[str, int]]
"""An event, and how many rounds the operator makes after it."""


def fail(world: World, child: Child) -> None:
    world.end_pod(world.start_pod(child), 1, "no message")
    world.end_job(child, "Failed", "BackoffLimitExceeded")


def delete(world: World, child: Child) -> None:
    world.jobs[child.name]["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"


def lose_status_write(world: World) -> None:
    """The operator is killed after it acted, before it wrote."""
    before = world.status
    world.round()
    world.status = world.status if world.status.terminal else before


TO_A_LIVE_CHILD: dict[str, Callable[[World, Child], object]] = {
    "succeed": World.succeed,
    "succeed without publishing": lambda world, child: world.succeed(child, publishes=False),
    "fail": fail,
    "retry": lambda world, child: world.end_pod(world.start_pod(child), 51, "no message"),
    "start": World.start_pod,
    "delete": delete,
    "queue": lambda world, child: world.jobs[child.name]["spec"].update(suspend=True),
    "admit": lambda world, child: world.jobs[child.name]["spec"].update(suspend=False),
    "orphan": lambda world, child: world.jobs.pop(child.name),
}
TO_ANY_CHILD: dict[str, Callable[[World, Child], object]] = {
    "lose pods": World.lose_pods,
    "lose job": World.lose_job,
}
TO_THE_WORLD: dict[str, Callable[[World], object]] = {
    "finish deletions": World.finish_deletions,
    "suspend": lambda world: world.suspend(True),
    "resume": lambda world: world.suspend(False),
    "lose status write": lose_status_write,
    "empty store": lambda world: world.committed.clear(),
    "wait": lambda world: world.later(60),
    "end pods": lambda world: world.pods.clear(),
}
EVENTS = (*TO_A_LIVE_CHILD, *TO_ANY_CHILD, *TO_THE_WORLD, *["succeed"] * 5, *["start"] * 3, *["resume"] * 2)


def happen(world: World, event: str) -> None:
    """Something that can happen to a job at any moment; what can't happen now does not."""
    if event in TO_THE_WORLD:
        TO_THE_WORLD[event](world)
    elif event in TO_ANY_CHILD and (children := world.observe().children):
        TO_ANY_CHILD[event](world, children[-1])
    elif event in TO_A_LIVE_CHILD and (live := world.live):
        TO_A_LIVE_CHILD[event](world, live[0])


def live_through(world: World, lives: Life) -> Iterator[None]:
    """The events one by one, each followed by the operator's rounds, if it is up then."""
    world.round()
    for event, rounds in lives:
        happen(world, event)
        yield
        for _ in range(rounds):
            world.round()
            yield


lives = st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from((0, 1, 1, 2))), min_size=4, max_size=30)


@given(lives)
def test_no_job_ever_has_two_children_at_work(life: Life) -> None:
    world = World()
    for _ in live_through(world, life):
        unfinished = [job for job in world.jobs.values() if not job["status"].get("conditions")]
        orphans = world.observe().strays
        assert len(unfinished) <= 1
        assert not (unfinished and orphans and "deletionTimestamp" not in unfinished[0]["metadata"])


@given(lives)
def test_an_ended_job_never_starts_anything_and_keeps_its_status(life: Life) -> None:
    world = World()
    ended = None
    for _ in live_through(world, life):
        if ended:
            assert (world.status, len(world.created)) == ended
        if world.status.terminal:
            ended = world.status, len(world.created)


@given(lives)
def test_whatever_happened_a_job_left_in_peace_comes_to_an_end(life: Life) -> None:
    world = World()
    list(live_through(world, life))
    world.suspend(False)
    for _ in range(40):
        if world.status.terminal:
            break
        world.round()
        world.finish_deletions()
        for name in world.observe().strays:
            del world.pods[name]
        if world.live:
            world.succeed(world.live[0])
    assert world.status.terminal


@given(lives)
def test_a_complete_job_has_all_its_passes_committed_and_an_artifact(life: Life) -> None:
    world = World()
    list(live_through(world, life))
    if world.status.holds("Complete"):
        assert {step.state for step in world.status.passes} == {"Succeeded"}
        assert len(world.status.artifacts) == 1
