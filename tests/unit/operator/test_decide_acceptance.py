import json
from dataclasses import replace

import pytest

from api_specs import wire_spec
from finetune_api.resource.job import Store
from finetune_operator.default_system import DefaultSystem
from operator_world import SETTINGS, World

DEFAULT_STORE = Store.model_validate({"volume": {"claimName": "models"}})


def without_store() -> dict:
    return {name: part for name, part in wire_spec().items() if name != "store"}


def test_a_valid_spec_is_accepted_and_prepared_at_once() -> None:
    world = World()
    world.round()
    assert world.status.holds("Accepted")
    assert world.status.phase == "Preparing"
    assert world.status.start_time == "2026-11-24T12:00:00Z"
    assert [child.kind for child in world.live] == ["prepare"]


def test_a_spec_with_problems_fails_and_nothing_is_made() -> None:
    world = World(spec=wire_spec([("tune", "tpu", "lora")]))
    decision = world.round()
    assert decision.actions == ()
    assert not world.status.holds("Accepted")
    assert world.status.holds("Failed")
    assert world.status.holds("Stalled")
    assert world.status.phase == "Failed"
    assert world.status.failure.reason == "InvalidSpec"
    assert world.status.failure.path == "spec.passes[0].system"
    assert "tpu" in world.status.failure.message


def test_all_problems_of_a_spec_are_told_at_once() -> None:
    world = World(spec=wire_spec([("tune", "tpu", "lora"), ("merge", "npu", "merge")]))
    world.round()
    assert world.status.failure.path == "spec.passes[0].system"
    assert world.status.failure.message == (
        "the first of 2 problems: 1) no system is named 'tpu' (use one of: gpu, cpu);"
        " 2) spec.passes[1].system: no system is named 'npu' (use one of: gpu, cpu)"
    )


def test_a_job_without_a_store_uses_the_operators_default() -> None:
    world = World(spec=without_store(), settings=replace(SETTINGS, default_store=DEFAULT_STORE))
    world.round()
    assert world.observe().document.spec.store == DEFAULT_STORE


def test_systems_get_what_the_operator_gives_every_job_and_it_is_kept_with_the_job() -> None:
    given = replace(SETTINGS, default_system=DefaultSystem.model_validate({"serviceAccountName": "tuner"}))
    world = World(settings=given)
    world.round()
    assert {s.service_account_name for s in world.observe().document.spec.systems} == {"tuner"}


def test_what_the_operator_gives_every_job_may_be_what_a_pass_needs() -> None:
    spec = wire_spec([("tune", "gpu", "lora")])
    spec["passes"][0]["lora"]["training"] = {"reportTo": ["mlflow"]}
    lacking = World(spec=spec)
    lacking.round()
    assert lacking.status.failure.path == "spec.passes[0].lora.training.reportTo[0]"

    env = [{"name": "MLFLOW_TRACKING_URI", "value": "https://mlflow.example.com"}]
    world = World(spec=spec, settings=replace(SETTINGS, default_system=DefaultSystem.model_validate({"env": env})))
    world.round()
    assert world.observe().document is not None


@pytest.mark.parametrize("field", ["nodeSelector", "tolerations"])
def test_more_than_a_system_may_have_with_what_the_operator_adds_is_refused(field: str) -> None:
    taints = [{"key": f"taint-{n}", "operator": "Exists"} for n in range(17)]
    labels = {f"label-{n}": "x" for n in range(17)}
    own = {"nodeSelector": {k: labels[k] for k in list(labels)[:16]}, "tolerations": taints[:16]}[field]
    added = {"nodeSelector": {"label-16": "x"}, "tolerations": taints[16:]}[field]
    given = replace(SETTINGS, default_system=DefaultSystem.model_validate({field: added}))
    world = World(spec=wire_spec(systems=[{"name": "gpu"}, {"name": "cpu", field: own}]), settings=given)
    world.round()
    assert (world.status.failure.reason, world.status.failure.path) == ("InvalidSpec", f"spec.systems[1].{field}")


def test_a_job_without_a_store_fails_where_the_operator_has_no_default() -> None:
    world = World(spec=without_store())
    world.round()
    assert (world.status.failure.reason, world.status.failure.path) == ("InvalidSpec", "spec.store")


def test_systems_without_an_image_get_the_operators_runner_image_and_others_keep_theirs() -> None:
    systems = [{"name": "gpu", "image": "registry.test/own:2"}, {"name": "cpu"}]
    world = World(spec=wire_spec(systems=systems))
    world.round()
    images = [system.image for system in world.observe().document.spec.systems]
    assert images == ["registry.test/own:2", "registry.test/runner:1"]
    assert world.status.runner_image == "registry.test/runner:1"


@pytest.mark.parametrize(
    ("cuda_image", "expected"), [("registry.test/cuda:1", "registry.test/cuda:1"), ("", "registry.test/runner:1")]
)
def test_a_system_that_runs_an_artifact_for_cuda_gets_the_image_that_can(cuda_image: str, expected: str) -> None:
    passes = [
        ("tune", "tuner", "lora"),
        ("merge", "cpu", "merge"),
        ("int4", "cpu", "build"),
        ("check", "gpu", "evaluate"),
    ]
    systems = [{"name": "gpu", "accelerator": {}}, {"name": "tuner", "accelerator": {}}, {"name": "cpu"}]
    engine = {"target": {"executionProvider": "CUDAExecutionProvider"}}
    world = World(spec=wire_spec(passes, systems=systems, engine=engine))
    world.restart_with(replace(SETTINGS, runner_cuda_image=cuda_image))
    world.round()
    images = {system.name: system.image for system in world.observe().document.spec.systems}
    assert images == {"gpu": expected, "tuner": "registry.test/runner:1", "cpu": "registry.test/runner:1"}


def test_an_upgrade_of_the_operator_does_not_change_a_running_job() -> None:
    world = World().prepared()
    world.restart_with(replace(SETTINGS, runner_image="registry.test/runner:2"))
    world.succeed()
    world.round()
    (job,) = [world.jobs[child.name] for child in world.live]
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.test/runner:1"
    assert world.status.runner_image == "registry.test/runner:1"


def test_a_config_map_that_was_deleted_is_made_anew_with_the_same_document() -> None:
    world = World().prepared()
    before = world.config_map
    world.config_map = None
    world.restart_with(replace(SETTINGS, runner_image="registry.test/runner:2"))
    world.round()
    assert world.config_map == before


def test_a_config_map_that_is_not_ours_says_nothing() -> None:
    world = World()
    world.round()
    world.config_map["metadata"]["ownerReferences"][0]["uid"] = "another"
    assert world.observe().document is None


@pytest.mark.parametrize("what", ["namespace", "name", "uid"])
def test_a_config_map_of_ours_that_tells_of_another_job_makes_nothing(what: str) -> None:
    """Whoever may edit ConfigMaps may write the owner down too, and another namespace into the document."""
    world = World().prepared()
    assert world.config_map is not None
    before = len(world.live)
    document = json.loads(world.config_map["data"]["job.json"]) | {what: "elsewhere"}
    world.config_map["data"]["job.json"] = json.dumps(document)
    assert world.observe().document is None
    decision = world.round()
    assert [type(action).__name__ for action in decision.actions] == ["CreateConfigMap"], "which is there: Taken"
    assert len(world.live) == before


def test_pods_are_told_the_digest_of_what_the_job_was_accepted_as() -> None:
    world = World()
    world.round()
    [job] = world.jobs.values()
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    told = {variable["name"]: variable.get("value") for variable in env}
    assert told["FINETUNE_DOCUMENT_DIGEST"] == world.status.document_digest
    assert len(world.status.document_digest) == 64


@pytest.mark.parametrize("suspended", [True, False])
def test_the_document_does_not_depend_on_suspend(suspended: bool) -> None:
    world = World(spec=wire_spec(suspend=suspended))
    world.round()
    assert world.observe().document.spec.suspend is False
