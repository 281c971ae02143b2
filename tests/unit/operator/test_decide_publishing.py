"""The artifact is published once, by a pod that may, and stands in status."""

from typing import Any

from api_specs import wire_spec
from built_jobs import container_of, mounts_of
from finetune_api import pod_layout
from operator_world import ZEROS, World


def test_the_published_artifact_and_the_passes_outputs_stand_in_status() -> None:
    world = World().completed()
    (artifact,) = world.status.artifacts
    assert (artifact.name, artifact.uri, artifact.digest, artifact.format) == (
        "model",
        "s3://models/out",
        ZEROS,
        "onnx",
    )
    assert artifact.verified_on == "CPUExecutionProvider"
    tune = world.pass_named("tune")
    assert tune.artifact.uri == "s3://models/finetune/team/cache/" + "0" * 32
    assert [(metric.name, metric.value) for metric in tune.metrics] == [("loss", "0.5")]
    assert not tune.cache_hit
    assert tune.attempts == 1


def test_a_job_of_evaluations_only_is_complete_without_an_artifact() -> None:
    world = World(spec=wire_spec([("measure", "cpu", "evaluate")]))
    world.prepared()
    world.succeed(publishes=False)
    world.round()
    assert world.status.phase == "Complete"
    assert world.status.artifacts == []


def test_where_the_artifact_is_to_be_signed_prepare_runs_at_the_end_and_publishes() -> None:
    signing = {"keySecretRef": {"name": "signer", "key": "key.pem"}}
    world = World(spec=wire_spec(output={"s3": {"uri": "s3://models/out"}, "signing": signing})).prepared()
    world.succeed(publishes=False)
    world.round()
    world.succeed(publishes=False)
    world.round()
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)
    assert "it has the key to sign the artifact with" in world.status.condition("Reconciling").message

    world.succeed()
    world.round()
    assert world.status.phase == "Complete"
    assert len(world.status.artifacts) == 1


def test_the_key_of_a_job_with_plugins_meets_none_of_their_code() -> None:
    world = World(spec=with_a_plugin_and_a_key())
    world.round()
    assert (image_of(world), mounts_key(world)) == ("registry.test/plugins:1", False)
    for _ in range(3):
        world.succeed(publishes=False)
        world.round()
    assert (world.only.kind, image_of(world), mounts_key(world)) == ("prepare", "registry.test/operator:1", True)


def test_also_where_all_was_made_before() -> None:
    world = World(spec=with_a_plugin_and_a_key(), committed={0, 1, 2})
    world.round()
    world.succeed(publishes=False)
    world.round()
    assert (world.only.attempt, image_of(world), mounts_key(world)) == (2, "registry.test/operator:1", True)


def with_a_plugin_and_a_key() -> dict[str, Any]:
    signing = {"keySecretRef": {"name": "signer", "key": "key.pem"}}
    spec = wire_spec(output={"s3": {"uri": "s3://models/out"}, "signing": signing})
    spec["systems"] = [{"name": name, "image": "registry.test/plugins:1"} for name in ("gpu", "cpu")]
    spec["passes"][1] = {"name": "merge", "system": "cpu", "plugin": {"name": "soup"}}
    return spec


def image_of(world: World) -> str:
    """Of the pod that runs now."""
    return str(container_of(world.jobs[world.only.name])["image"])


def mounts_key(world: World) -> bool:
    return f"{pod_layout.SECRETS}/signer" in mounts_of(world.jobs[world.only.name])


def test_passes_committed_but_not_published_are_published_by_another_prepare() -> None:
    world = World().prepared()
    for _ in range(2):
        world.succeed(publishes=False)
        world.round()
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)
    world.succeed()
    world.round()
    assert world.status.phase == "Complete"
    assert [step.cache_hit for step in world.status.passes] == [False, False, False]
