from datetime import timedelta

import pytest

from finetune_api.failures import EXIT_CODES, Reason
from finetune_operator.conditions import timestamp
from operator_world import World
from runner_words import failure, message


def reconciling(world: World) -> str:
    world.round()
    return world.status.condition("Reconciling").message


def test_an_image_that_cannot_be_pulled_is_told_in_the_condition() -> None:
    world = World().prepared()
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "none:1"'}
    world.start_pod(world.only, running=False, containerStatuses=[{"name": "runner", "state": {"waiting": waiting}}])
    assert 'ImagePullBackOff: Back-off pulling image "none:1"' in reconciling(world)
    assert not world.status.terminal


def test_a_pod_that_no_node_can_take_is_told_in_the_condition() -> None:
    world = World().prepared()
    text = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    world.start_pod(world.only, running=False, conditions=[condition])
    assert text in reconciling(world)


def test_a_pod_that_is_being_created_is_no_trouble() -> None:
    world = World().prepared()
    waiting = {"reason": "ContainerCreating"}
    world.start_pod(world.only, running=False, containerStatuses=[{"name": "runner", "state": {"waiting": waiting}}])
    assert reconciling(world) == "stage 1 of 2 on system gpu: tune"


def test_between_two_tries_the_last_failure_is_told() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    world.end_pod(pod, 51, "Traceback")
    assert reconciling(world) == f"starting again: pod {pod} ended with exit code 51"


def test_what_a_pod_quotes_of_a_login_is_not_repeated() -> None:
    world = World().prepared()
    said = failure(Reason.STORE_UNAVAILABLE, "no answer of http://me:s3cret@s3")
    world.end_pod(world.start_pod(world.only), 51, message("stage", set(), 3, failure=said))
    assert "StoreUnavailable: no answer of http://…@s3" in reconciling(world)


def test_what_no_other_try_can_change_is_not_said_to_start_again() -> None:
    world = World().prepared()
    world.end_pod(world.start_pod(world.only), EXIT_CODES[Reason.MODEL_NOT_FOUND], "Traceback")
    assert "starting again" not in reconciling(world)
    assert warnings(world) == []


def stuck(world: World, **state: object) -> dict:
    """The live child's pod, on a node since now, waits."""
    on_node = {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp(world.now)}
    return world.pods[world.start_pod(world.only, running=False, **({"conditions": [on_node]} | state))]


def waiting(reason: str, text: str) -> list[dict]:
    return [{"name": "runner", "state": {"waiting": {"reason": reason, "message": text}}}]


def warnings(world: World) -> list[str]:
    return [chapter.reason for chapter in world.chapters if chapter.kind == "Warning"]


def test_while_an_image_cannot_be_pulled_the_job_waits_and_one_event_says_so() -> None:
    world = World().prepared()
    pod = stuck(world, containerStatuses=waiting("ErrImagePull", "not found"))
    world.rounds(3)
    pod["status"]["containerStatuses"] = waiting("ImagePullBackOff", "Back-off")
    world.rounds(3)
    assert world.status.phase == "Waiting"
    assert warnings(world) == ["ImagePullFailed"]


@pytest.mark.parametrize(
    ("word", "reason", "path"),
    [
        ("ImagePullBackOff", "ImagePullFailed", "spec.systems[0].image"),
        ("InvalidImageName", "ImagePullFailed", "spec.systems[0].image"),
        ("CreateContainerConfigError", "InvalidSpec", "spec.systems[0].env"),
        ("CreateContainerError", "Internal", "spec.systems[0]"),
    ],
)
def test_a_pod_that_cannot_start_for_long_fails_the_job_and_frees_what_it_holds(
    word: str, reason: str, path: str
) -> None:
    world = World().prepared()
    stuck(world, containerStatuses=waiting(word, "the kubelet's words"))
    world.round()
    world.now += timedelta(seconds=599)
    world.round()
    assert not world.status.terminal
    world.now += timedelta(seconds=1)
    world.round()
    failure = world.status.failure
    assert (failure.reason, failure.path, failure.pass_) == (reason, path, "tune")
    assert "the kubelet's words" in failure.message
    assert world.live == []


def test_while_a_pod_waits_it_is_told_until_when_and_what_to_do() -> None:
    world = World().prepared()
    stuck(world, containerStatuses=waiting("CreateContainerConfigError", 'secret "hub" not found'))
    end = timestamp(world.now + timedelta(seconds=600))
    told = f'secret "hub" not found. It waits until {end}; meanwhile, create what the message names'
    assert told in reconciling(world)
    world.now += timedelta(seconds=60)
    assert told in reconciling(world)


def test_patience_with_an_image_begins_at_its_first_failure_however_long_the_pull_has_taken() -> None:
    world = World().prepared()
    pulling = stuck(world, containerStatuses=waiting("ContainerCreating", ""))
    world.later(720)
    pulling["status"]["containerStatuses"] = waiting("ErrImagePull", "i/o timeout")
    world.rounds(2)
    assert (world.status.terminal, world.status.phase) == (False, "Waiting")


def test_a_sidecar_that_comes_first_in_a_pods_status_is_not_taken_for_the_job() -> None:
    world = World().prepared()
    broken = waiting("CrashLoopBackOff", "back-off")[0] | {"name": "istio-proxy"}
    stuck(world, containerStatuses=[broken, *waiting("ContainerCreating", "")])
    assert reconciling(world) == "stage 1 of 2 on system gpu: tune"


def test_a_pod_that_no_node_takes_for_a_day_fails_the_job_with_the_schedulers_words() -> None:
    world = World().prepared()
    text = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    name = world.start_pod(world.only, running=False, conditions=[condition])
    world.pods[name]["metadata"]["creationTimestamp"] = timestamp(world.now)
    world.now += timedelta(days=1) - timedelta(seconds=1)
    world.round()
    assert (world.status.phase, warnings(world)) == ("Waiting", ["Unschedulable"])
    world.now += timedelta(seconds=1)
    world.round()
    assert (world.status.failure.reason, world.status.failure.path) == ("Unschedulable", "spec.systems[0]")
    assert text in world.status.failure.message


def test_a_pod_that_someone_holds_back_by_a_scheduling_gate_is_no_trouble() -> None:
    world = World().prepared()
    condition = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gated"}
    world.start_pod(world.only, running=False, conditions=[condition])
    assert reconciling(world) == "stage 1 of 2 on system gpu: tune"


def test_a_pod_that_gets_its_node_after_all_runs_as_ever() -> None:
    world = World().prepared()
    pod = stuck(world, containerStatuses=waiting("ImagePullBackOff", "Back-off"))
    world.round()
    pod["status"] |= {"phase": "Running", "containerStatuses": [{"name": "runner", "state": {"running": {}}}]}
    world.now += timedelta(days=2)
    world.round()
    assert world.status.phase == "Running"


ABSENT = 'MountVolume.SetUp failed for volume "keys" : secret "absent" not found'


def bare(world: World) -> dict:
    """The live child's pod, on a node since now, without its volumes."""
    at = timestamp(world.now)
    on_node = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at}
    not_ready = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": at}
    creating = [{"name": "runner", "state": {"waiting": {"reason": "ContainerCreating"}}}]
    return stuck(world, conditions=[on_node, not_ready], containerStatuses=creating)


def test_a_volume_whose_secret_is_missing_is_told_while_the_pod_waits_and_then_fails_the_job() -> None:
    world = World().prepared()
    world.warn(bare(world)["metadata"]["uid"], "FailedMount", ABSENT)
    assert ABSENT in reconciling(world)
    assert (world.status.phase, warnings(world)) == ("Waiting", ["MissingReference"])
    world.later(600)
    world.warn(next(iter(world.events)), "FailedMount", ABSENT)
    world.round()
    failure = world.status.failure
    assert (failure.reason, failure.path, failure.pass_) == ("InvalidSpec", "spec.systems[0]", "tune")
    assert ABSENT in failure.message


def test_a_pod_that_has_its_volumes_by_now_is_in_no_trouble_for_what_was_said_before() -> None:
    world = World().prepared()
    pod = bare(world)
    world.warn(pod["metadata"]["uid"], "FailedMount", ABSENT)
    pod["status"]["conditions"][1]["status"] = "True"
    world.later(700)
    assert reconciling(world) == "stage 1 of 2 on system gpu: tune"


def test_the_newest_warning_is_the_one_that_is_told() -> None:
    world = World().prepared()
    uid = bare(world)["metadata"]["uid"]
    world.warn(uid, "FailedMount", "an older one")
    world.later(5)
    world.warn(uid, "FailedMount", "timed out waiting for the condition")
    world.events[uid].reverse()
    assert "FailedMount: timed out waiting for the condition. It waits" in reconciling(world)


@pytest.mark.parametrize(
    ("text", "event", "reason", "after"),
    [
        ('pods "x" is forbidden: exceeded quota: team, requested: pods=1', "QuotaExceeded", "Unschedulable", 86400),
        ('error looking up service account a/b: serviceaccount "b" not found', "MissingReference", "InvalidSpec", 600),
        ('pods "x" is forbidden: no PriorityClass with name high was found', "MissingReference", "InvalidSpec", 600),
        ('failed calling webhook "v.k.io": connection refused', "AdmissionFailed", "Internal", 86400),
        ('admission webhook "v.k.io" denied the request: no', "PodRefused", "InvalidSpec", 600),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "PodRefused", "InvalidSpec", 600),
    ],
)
def test_a_job_whose_pods_are_refused_tells_why_and_ends_after_a_limit(
    text: str, event: str, reason: str, after: float
) -> None:
    world = World().prepared()
    world.warn(world.only.uid, "FailedCreate", f"Error creating: {text}")
    assert text in reconciling(world)
    assert (world.status.phase, warnings(world)) == ("Waiting", [event])
    for seconds in (after - 1, 1):
        assert not world.status.terminal
        world.later(seconds)
        world.warn(world.only.uid, "FailedCreate", f"Error creating: {text}")
        world.round()
    assert (world.status.failure.reason, world.status.failure.path) == (reason, "spec.systems[0]")


def test_patience_with_a_refusal_begins_when_it_is_first_seen_however_long_the_job_has_run() -> None:
    world = World().prepared()
    world.later(7200)
    world.warn(world.only.uid, "FailedCreate", "Error creating: failed calling webhook")
    world.rounds(2)
    assert (world.status.terminal, world.status.phase) == (False, "Waiting")


def test_a_refusal_that_was_overcome_is_not_taken_for_one_that_holds() -> None:
    world = World().prepared()
    world.warn(world.only.uid, "FailedCreate", "Error creating: exceeded quota")
    world.round()
    world.later(400)
    assert reconciling(world) == "stage 1 of 2 on system gpu: tune"
    assert world.status.waiting is None


def test_a_pod_that_failed_without_saying_when_is_no_fault() -> None:
    world = World().prepared()
    refused = world.start_pod(world.only, running=False)
    world.pods[refused]["status"] = {"phase": "Failed", "reason": "UnexpectedAdmissionError"}
    world.warn(world.only.uid, "FailedCreate", "Error creating: exceeded quota")
    assert "exceeded quota" in reconciling(world)


def test_a_refusal_that_a_pod_came_after_is_forgotten() -> None:
    world = World().prepared()
    world.warn(world.only.uid, "FailedCreate", "Error creating: exceeded quota")
    world.later(60)
    pod = world.start_pod(world.only)
    world.end_pod(pod, 51, "Traceback")
    assert reconciling(world) == f"starting again: pod {pod} ended with exit code 51"


def test_a_claim_that_does_not_exist_is_not_waited_for_as_long_as_for_a_node() -> None:
    world = World().prepared()
    text = '0/1 nodes are available: persistentvolumeclaim "absent" not found.'
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    name = world.start_pod(world.only, running=False, conditions=[condition])
    world.pods[name]["metadata"]["creationTimestamp"] = timestamp(world.now)
    world.round()
    assert warnings(world) == ["MissingReference"]
    world.later(600)
    world.round()
    assert world.status.failure.reason == "InvalidSpec"
