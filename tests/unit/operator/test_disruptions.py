"""Disruptions that bring no new checkpoint end a job after a number of them; others don't, however often they come."""

import pytest

from api_specs import wire_pass, wire_spec
from finetune_api.failures import EXIT_CODES, SIGTERM_EXIT, Reason
from finetune_api.messages import Checkpoint, GaveWay, TerminationMessage
from finetune_api.resource.progress import Progress
from finetune_operator.conditions import timestamp
from finetune_operator.kube import Refused
from finetune_operator.observed import Child, Reading
from finetune_operator.worker import held_up
from operator_world import World, failure, message

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


def test_more_disruptions_in_a_row_than_the_limit_without_a_checkpoint_end_the_job_and_say_how_many_and_where() -> None:
    world = prepared()
    for times in range(1, LIMIT + 1):
        disrupted(world)
        assert (count(world), world.status.terminal) == (times, False)
    disrupted(world)
    told = world.status.failure
    assert (told.reason, told.pass_, told.path) == ("Evicted", "tune", "spec.disruptionLimit")
    assert told.message == (
        f"disrupted 3 times in a row (the last time: {EVICTED}), each time before its first checkpoint"
    )
    assert "saveSeconds" in told.remedy
    assert "terminationGracePeriodSeconds" in told.remedy
    assert world.live == []


def test_pods_that_make_room_for_others_of_higher_priority_are_preempted() -> None:
    world = prepared()
    for _ in range(LIMIT + 1):
        disrupted(world, reason="PreemptionByScheduler")
    assert world.status.failure.reason == "Preempted"
    assert "higher priorityClassName" in world.status.failure.remedy


def test_disruptions_that_each_bring_a_new_checkpoint_never_end_a_job() -> None:
    world = prepared()
    for step in range(1, 10):
        disrupted(world, step)
        assert (count(world), world.status.disruptions.checkpoint_step) == (0, step)


def test_the_same_checkpoint_again_is_no_new_one_and_the_failure_says_of_which_step_it_is() -> None:
    world = prepared()
    for _ in range(LIMIT + 2):
        disrupted(world, 40)
    assert world.status.failure.message.endswith("each time before a newer checkpoint than that of step 40")


def test_a_checkpoint_in_between_begins_the_count_anew() -> None:
    world = prepared()
    for step in (None, None, 40, None, None):
        disrupted(world, step)
    assert (count(world), world.status.terminal) == (2, False)


def test_the_pod_that_would_be_one_too_many_has_its_time_to_keep_a_checkpoint() -> None:
    world = prepared()
    for _ in range(LIMIT):
        disrupted(world)
    pod = start(world)
    disrupt(world, pod)
    world.rounds(2)
    assert (count(world), world.status.terminal) == (LIMIT + 1, False)
    end(world, pod, 7)
    world.rounds(2)
    assert (count(world), world.status.terminal) == (0, False)


def test_a_pod_that_vanishes_without_a_word_counts() -> None:
    world = prepared()
    for _ in range(LIMIT + 1):
        pod = start(world)
        disrupt(world, pod)
        world.round()
        del world.pods[pod]
        world.round()
    assert world.status.failure.reason == "Evicted"


def test_a_checkpoint_that_a_pod_has_shown_counts_though_the_pod_ends_without_a_word() -> None:
    world = prepared()
    for step in range(1, LIMIT + 3):
        pod = start(world)
        shows(world, pod, checkpointStep=step)
        disrupt(world, pod)
        world.round()
        del world.pods[pod]
        world.readings = ()
        world.round()
    assert (count(world), world.status.terminal) == (0, False)


def test_what_the_next_pod_goes_on_from_counts_where_the_last_word_was_lost() -> None:
    world = prepared()
    for _ in range(LIMIT):
        pod = start(world)
        disrupt(world, pod)
        world.round()
        del world.pods[pod]
    shows(world, start(world), resumedFromStep=12)
    assert (count(world), world.status.disruptions.checkpoint_step) == (0, 12)


def test_a_checkpoint_of_an_earlier_job_that_a_pod_went_on_from_is_no_new_one() -> None:
    world = prepared()
    pod = start(world)
    shows(world, pod, checkpointStep=40, resumedFromStep=40)
    disrupt(world, pod)
    world.round()
    assert (count(world), world.status.disruptions.checkpoint_step) == (1, 40)


def test_a_disrupted_pod_is_counted_once_however_often_it_is_seen_and_by_whom() -> None:
    world = prepared()
    pod = start(world)
    disrupt(world, pod)
    before = world.status
    first = world.decide().status
    assert world.decide().status == first, "two operators that see the same count the same"
    world.rounds(5)
    end(world, pod)
    world.rounds(5)
    assert before.disruptions is None
    assert count(world) == 1


def test_what_came_and_went_while_nobody_looked_is_not_counted_and_what_is_still_there_is() -> None:
    world = prepared()
    child, pods = world.only, []
    for _ in range(LIMIT + 1):
        world.later(30)
        pods.append(pod := world.start_pod(child))
        world.pods[pod]["metadata"]["creationTimestamp"] = timestamp(world.now)
        disrupt(world, pod)
        end(world, pod)
    del world.pods[pods[0]]
    world.rounds(2)
    assert (count(world), world.status.terminal) == (LIMIT, False)


def test_a_count_holds_though_a_child_cannot_be_made() -> None:
    world = prepared()
    disrupt(world, start(world))
    seen = world.observe()
    after = held_up(seen, world.decide(), Refused(403, "Forbidden", "no quota")).status
    assert after.disruptions.count == 1


def test_failures_that_backoff_limit_counts_are_no_disruptions() -> None:
    world = prepared()
    for _ in range(LIMIT + 2):
        pod = start(world)
        world.pods[pod]["status"]["conditions"] = []
        end(world, pod)
        world.round()
    assert world.status.disruptions is None


def test_a_committed_pass_begins_the_count_anew_and_old_pods_are_not_counted_for_the_next() -> None:
    two = [wire_pass("tune", "gpu", "lora"), wire_pass("again", "gpu", "lora", input="base")]
    world = World(spec=wire_spec(disruptionLimit=LIMIT) | {"passes": two}).prepared()
    for _ in range(LIMIT):
        pod = start(world)
        disrupt(world, pod)
        end(world, pod)
        world.round()
    assert count(world) == LIMIT
    world.committed.add(0)
    pod = start(world)
    disrupt(world, pod)
    end(world, pod, index=1)
    world.round()
    assert not world.status.terminal
    world.rounds(2)
    assert count(world) <= 1


@pytest.mark.parametrize("seen", [True, False])
def test_suspending_counts_nothing_and_begins_the_count_anew(seen: bool) -> None:
    world = prepared()
    for _ in range(LIMIT):
        disrupted(world)
    pod = start(world)
    world.suspend(True)
    if seen:
        world.round()
    disrupt(world, pod)
    world.rounds(2)
    end(world, pod)
    world.round()
    world.finish_deletions()
    world.rounds(2)
    assert (world.status.phase, count(world)) == ("Suspended", 0)
    world.suspend(False)
    world.rounds(2)
    disrupted(world)
    assert (count(world), world.status.terminal) == (1, False)


def test_a_pod_that_goes_since_kueue_has_suspended_its_job_is_not_disrupted_whatever_else_befalls_it() -> None:
    world = prepared()
    for _ in range(LIMIT + 2):
        child = world.only
        pod = start(world)
        world.jobs[child.name]["spec"]["suspend"] = True
        disrupt(world, pod)
        world.round()
        end(world, pod)
        world.round()
        del world.pods[pod]
        world.jobs[child.name]["spec"]["suspend"] = False
        world.round()
    assert count(world) == 0


def test_a_pass_that_keeps_no_checkpoints_is_given_up_too_and_advised_otherwise() -> None:
    world = prepared()
    world.succeed()
    world.round()
    for _ in range(LIMIT + 1):
        disrupted(world, reason="PreemptionByScheduler")
    told = world.status.failure
    assert told.pass_ == "merge"
    assert told.message.endswith(
        "(the last time: PreemptionByScheduler), and begun anew each time: it keeps no checkpoints"
    )
    assert told.remedy.startswith("give the system a higher priorityClassName")
    assert "saveSeconds" not in told.remedy


@pytest.mark.parametrize("permanent", [True, False])
def test_a_disrupted_pod_that_comes_to_an_end_of_its_own_is_told_by_that(permanent: bool) -> None:
    world = prepared(disruptionLimit=0)
    child = world.only
    pod = start(world)
    disrupt(world, pod)
    world.round()
    conditions = world.pods[pod]["status"]["conditions"]
    if permanent:
        word = message("stage", set(), 3, failure=failure(Reason.NAN_LOSS))
        world.end_pod(pod, EXIT_CODES[Reason.NAN_LOSS], word, conditions=conditions)
    else:
        world.committed = {0}
        world.end_pod(pod, 0, world.report("stage"), conditions=conditions)
    world.rounds(2)
    assert not world.status.terminal
    world.end_job(child, "Failed" if permanent else "Complete", "PodFailurePolicy" if permanent else "")
    world.round()
    assert (world.status.failure.reason if permanent else world.pass_named("tune").state) in ("NaNLoss", "Succeeded")


def test_prepare_is_given_up_too() -> None:
    world = World(spec=wire_spec(disruptionLimit=0))
    world.round()
    disrupted(world)
    assert (world.status.failure.pass_, world.status.failure.reason) == ("prepare", "Evicted")
    assert world.status.prepare.state == "Failed"


def test_prepare_that_waits_for_another_job_loses_nothing() -> None:
    world = World(spec=wire_spec(disruptionLimit=0))
    world.round()
    waits = TerminationMessage(kind="prepare", gave_way=GaveWay(index=0, job="other"))
    for _ in range(3):
        pod = start(world)
        world.readings = (Reading(world.pods[pod]["metadata"]["uid"], outcome=waits),)
        world.round()
        assert world.status.waiting.reason == "WaitingForJob"
        disrupt(world, pod)
        world.round()
        assert count(world) == 0
        del world.pods[pod]
    assert not world.status.terminal


def test_each_disruption_is_an_event_that_says_how_many_there_were_in_a_row() -> None:
    world = prepared()
    disrupted(world)
    disrupted(world)
    told = [chapter for chapter in world.chapters if chapter.reason == "Disrupted"]
    assert [chapter.note.partition(": ")[2] for chapter in told] == [
        f"{EVICTED}; in a row without a new checkpoint of tune: {times}" for times in (1, 2)
    ]
    assert len({chapter.which for chapter in told}) == 2


def test_a_reason_of_any_length_is_taken() -> None:
    world = prepared()
    disrupt(world, start(world), "X" * 1000)
    world.round()
    assert count(world) == 1
