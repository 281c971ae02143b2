"""Who is at fault where a child Job fails, and what is told of it: by its pods' words, or by how they ended."""

import pytest

from finetune_api.failures import Reason
from finetune_operator.conditions import timestamp
from operator_world import World
from runner_words import failure, message

FULL = {"reason": "Evicted", "message": 'Usage of EmptyDir volume "work" exceeds the limit "50Gi".'}


def test_a_failed_prepare_fails_the_job_with_what_its_pod_said() -> None:
    world = World()
    world.round()
    child = world.only
    world.fail_job(13, message("prepare", set(), 3, failure=failure(Reason.DATASET_INVALID, "no rows")))
    world.round()
    told = world.status.failure
    assert (told.reason, told.pass_, told.exit_code) == ("DatasetInvalid", "prepare", 13)
    assert (told.message, told.remedy, told.path) == ("no rows", "mend it", "spec.passes[0]")
    assert told.pod.startswith(child.name)
    assert world.status.condition("Failed").reason == "DatasetInvalid"
    assert world.status.condition("Failed").message == "spec.passes[0]: no rows. mend it"
    assert world.status.prepare.state == "Failed"
    assert world.stage_jobs() == []


def test_a_failure_that_its_pod_has_told_shows_the_end_of_the_pods_log() -> None:
    world = World().prepared()
    said = failure(Reason.INTERNAL, index=0).model_copy(update={"log": "Traceback\nhttps://me:secret@proxy\nboom"})
    world.fail_job(1, message("stage", set(), 3, failure=said))
    world.round()
    assert world.status.failure.log_tail == "Traceback\nhttps://…@proxy\nboom"


def test_so_does_a_pod_that_knew_only_that_it_was_asked_to_stop() -> None:
    world = World().prepared()
    said = failure(Reason.INTERRUPTED, "asked to stop").model_copy(update={"log": "step 4"})
    world.end_pod(world.start_pod(world.only), 143, message("stage", set(), 3, failure=said), **FULL)
    world.round()
    assert (world.status.failure.reason, world.status.failure.log_tail) == ("OutOfDisk", "step 4")


def test_a_failed_stage_names_the_pass_that_failed() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    world.fail_job(17, message("stage", {0, 1}, 3, failure=failure(Reason.EXPORT_FAILED, index=2)))
    world.round()
    assert world.status.failure.pass_ == "int4"
    assert [step.state for step in world.status.passes] == ["Succeeded", "Succeeded", "Failed"]


@pytest.mark.parametrize(
    ("exit_code", "container_reason", "reason"),
    [
        (137, "OOMKilled", "OutOfHostMemory"),
        (137, "Error", "Interrupted"),
        (143, "Error", "Interrupted"),
        (1, "Error", "Internal"),
        (15, "Error", "AcceleratorUnavailable"),
    ],
)
def test_a_pod_that_could_not_speak_is_judged_by_how_it_ended(
    exit_code: int, container_reason: str, reason: str
) -> None:
    world = World().prepared()
    world.fail_job(exit_code, "Traceback: boom", container_reason)
    world.round()
    assert world.status.failure.reason == reason
    assert world.status.failure.exit_code == exit_code
    assert world.status.failure.log_tail == "Traceback: boom"
    assert world.status.failure.pass_ == "tune"


def test_memory_that_ran_out_points_at_the_system() -> None:
    world = World().prepared()
    world.fail_job(137, "", "OOMKilled")
    world.round()
    assert world.status.failure.path == "spec.systems[0]"
    assert "memory" in world.status.failure.remedy


@pytest.mark.parametrize("says_it_was_stopped", [True, False])
def test_a_pod_evicted_for_its_scratch_space_is_out_of_disk(says_it_was_stopped: bool) -> None:
    world = World().prepared()
    child = world.only
    pod = world.start_pod(child)
    text = 'Usage of EmptyDir volume "work" exceeds the limit "50Gi".'
    if says_it_was_stopped:
        world.end_pod(pod, 143, message("stage", set(), 3, failure=failure(Reason.INTERRUPTED, "asked to stop")))
    world.pods[pod]["status"] |= {"phase": "Failed", "reason": "Evicted", "message": text}
    world.end_job(child, "Failed", "BackoffLimitExceeded")
    world.round()
    assert world.status.failure.reason == "OutOfDisk"
    assert text in world.status.failure.message


def too_small(world: World, which: str) -> None:
    """The stage's pod ends for what its system gives it; the Job controller would start another."""
    pod = world.start_pod(world.only)
    if which == "memory":
        world.end_pod(pod, 137, "", "OOMKilled")
    else:
        world.end_pod(pod, 137)
        world.pods[pod]["status"] |= FULL


@pytest.mark.parametrize(("which", "reason"), [("memory", "OutOfHostMemory"), ("disk", "OutOfDisk")])
def test_memory_and_scratch_space_that_are_too_little_end_a_job_at_once(which: str, reason: str) -> None:
    world = World().prepared()
    name = world.only.name
    too_small(world, which)
    world.round()
    assert (world.status.failure.reason, world.status.failure.path) == (reason, "spec.systems[0]")
    assert "deletionTimestamp" in world.jobs[name]["metadata"]


def test_memory_that_the_runner_could_not_get_ends_a_job_too() -> None:
    world = World().prepared()
    said = failure(Reason.OUT_OF_HOST_MEMORY, "DefaultCPUAllocator: can't allocate memory", 0)
    world.end_pod(world.start_pod(world.only), 137, message("stage", set(), 3, failure=said))
    world.round()
    assert (world.status.failure.reason, world.status.failure.message) == ("OutOfHostMemory", said.message)


@pytest.mark.parametrize("which", ["memory", "disk"])
def test_a_pod_that_has_followed_while_nobody_looked_is_let_be(which: str) -> None:
    world = World().prepared()
    too_small(world, which)
    world.start_pod(world.only)
    world.round()
    assert not world.status.terminal


def test_a_pod_that_had_to_go_since_its_nodes_disk_was_full_is_disrupted_and_not_at_fault() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    world.end_pod(pod, 137)
    taken = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
    low = {"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage.", "conditions": [taken]}
    world.pods[pod]["status"] |= low
    world.pods[pod]["metadata"]["creationTimestamp"] = timestamp(world.now)
    world.round()
    assert not world.status.terminal


def test_a_pod_that_was_evicted_for_anything_else_was_evicted() -> None:
    world = World().prepared()
    child = world.only
    pod = world.start_pod(child)
    stopped = failure(Reason.INTERRUPTED, "asked to stop")
    world.end_pod(pod, 143, message("stage", set(), 3, failure=stopped))
    world.pods[pod]["status"] |= {"reason": "Evicted", "message": "Pod was rejected: out of hugepages"}
    world.end_job(child, "Failed", "BackoffLimitExceeded")
    world.round()
    assert world.status.failure.reason == "Evicted"
    assert "out of hugepages" in world.status.failure.message


def test_a_failed_job_whose_pods_are_gone_is_judged_by_its_condition() -> None:
    world = World().prepared()
    child = world.only
    text = "Container runner for pod team/tone-gpu-0-x failed with exit code 18 matching FailJob rule at index 0"
    world.end_job(child, "Failed", "PodFailurePolicy", text)
    world.round()
    assert (world.status.failure.reason, world.status.failure.exit_code) == ("OutOfAcceleratorMemory", 18)


def test_a_job_whose_pods_were_all_deleted_until_its_retries_were_used_up_was_interrupted() -> None:
    world = World().prepared()
    child = world.only
    world.end_job(child, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    world.round()
    assert (world.status.failure.reason, world.status.failure.pass_) == ("Interrupted", "tune")
    assert child.name in world.status.failure.message
    assert "see who evicts or deletes it" in world.status.failure.remedy


def test_the_newest_failed_pod_is_the_witness() -> None:
    world = World().prepared()
    child = world.only
    world.end_pod(world.start_pod(child), 51, message("stage", set(), 3, failure=failure(Reason.STORE_UNAVAILABLE)))
    world.later(30)
    world.end_pod(world.start_pod(child), 52, message("stage", set(), 3, failure=failure(Reason.HUB_UNAVAILABLE)))
    world.end_job(child, "Failed", "BackoffLimitExceeded")
    world.round()
    assert world.status.failure.reason == "HubUnavailable"


def test_a_pod_that_ends_well_without_a_word_is_a_failure_with_its_log() -> None:
    world = World()
    world.round()
    child = world.only
    world.end_pod(world.start_pod(child), 0, "usage: something else")
    world.end_job(child)
    world.round()
    assert (world.status.failure.reason, world.status.failure.log_tail) == ("Internal", "usage: something else")


def test_a_stage_that_ends_well_without_committing_its_passes_is_a_failure() -> None:
    world = World().prepared()
    child = world.only
    world.end_pod(world.start_pod(child), 0, message("stage", set(), 3))
    world.end_job(child)
    world.round()
    assert (world.status.failure.reason, world.status.failure.pass_) == ("Internal", "tune")
