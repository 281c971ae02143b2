from operator_world import World


def reconciling(world: World) -> str:
    world.round()
    return world.status.condition("Reconciling").message


def test_an_image_that_cannot_be_pulled_is_told_in_the_condition() -> None:
    world = World().prepared()
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "none:1"'}
    world.start_pod(world.only, running=False, containerStatuses=[{"state": {"waiting": waiting}}])
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
    world.start_pod(world.only, running=False, containerStatuses=[{"state": {"waiting": waiting}}])
    assert reconciling(world) == "stage 1 of 2 on system gpu: tune"


def test_between_two_tries_the_last_failure_is_told() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    world.end_pod(pod, 51, "Traceback")
    assert reconciling(world) == f"starting again: pod {pod} ended with exit code 51"
