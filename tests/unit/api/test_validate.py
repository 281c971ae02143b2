"""What is right and what is wrong between parts of a spec, beyond the mistakes of tests/wrong."""

from typing import Any

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse, template_columns


def findings(spec: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in parse(spec)[1]]


def test_a_right_spec_has_no_problem():
    assert findings(wire_spec()) == []


@pytest.mark.parametrize("path", ["..", "../other", "rows/../../secrets/s3/key"])
def test_a_path_that_leads_out_of_its_volume_is_refused(path):
    spec = wire_spec(store={"volume": {"claimName": "store", "path": path}})
    assert findings(spec) == ["spec.store.volume.path: path must not lead out of the volume: leave out .."]


def test_two_dots_in_a_name_are_no_way_out():
    assert findings(wire_spec(store={"volume": {"claimName": "store", "path": "a..b/...c"}})) == []


def test_two_passes_in_one_are_named_as_the_manifest_writes_them():
    spec = wire_spec(passes=[("tune", "gpu", "lora")])
    spec["passes"][0]["mergeAdapterWeights"] = {}

    assert findings(spec)[0].endswith("found lora, mergeAdapterWeights")


@pytest.mark.parametrize(
    ("bend", "path"),
    [
        (lambda s: s["passes"][0].update(system="gpuu"), "spec.passes[0].system"),
        (lambda s: s.update(engine={"host": "gpuu"}), "spec.engine.host"),
        (lambda s: s.update(prepare={"system": "gpuu"}), "spec.prepare.system"),
    ],
)
def test_an_unknown_system_is_refused_where_it_is_named(bend, path):
    spec = wire_spec()
    bend(spec)

    assert findings(spec) == [f"{path}: no system is named 'gpuu' (use one of: gpu, cpu)"]


@pytest.mark.parametrize(("asked", "limit"), [("6Gi", "1Gi"), ("1Ti", "999G"), ("1500m", "1"), ("1.5", "1")])
def test_asking_for_more_than_the_limit_is_refused(asked, limit):
    spec = wire_spec()
    spec["systems"][0]["resources"] = {"requests": {"memory": asked}, "limits": {"memory": limit}}

    assert findings(spec) == [
        f"spec.systems[0].resources.requests.memory: {asked} is more than the limit of {limit}"
        " (lower it, or raise the limit)"
    ]


@pytest.mark.parametrize(
    ("asked", "limit"), [("1Gi", "1Gi"), ("1000m", "1"), ("1k", "1Ki"), ("2E", "2Ei"), ("8", "8M")]
)
def test_asking_for_the_limit_or_less_is_right(asked, limit):
    spec = wire_spec()
    spec["systems"][0]["resources"] = {"requests": {"memory": asked}, "limits": {"memory": limit}}

    assert findings(spec) == []


@pytest.mark.parametrize("template", ["{", "{}", "{0}", "text }"])
def test_a_broken_template_is_refused(template):
    spec = wire_spec()
    spec["dataConfigs"][0]["preprocess"]["textTemplate"] = template

    assert "spec.dataConfigs[0].preprocess.textTemplate: not a valid template" in findings(spec)[0]


def test_a_templates_columns_come_in_order_and_once():
    assert template_columns("{b} {a} {b} {{literal}}") == ["b", "a"]


@pytest.mark.parametrize("template", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>9}", "{}", "{0}", "{a"])
def test_a_placeholder_is_a_columns_name_and_nothing_else(template):
    with pytest.raises(ValueError):
        template_columns(template)


def test_a_place_in_a_queue_is_refused_without_the_queue():
    spec = wire_spec()
    spec["systems"][0]["workloadPriorityClassName"] = "urgent"

    path = "spec.systems[0].workloadPriorityClassName"
    assert findings(spec) == [f"{path}: orders a queue, and there is none (set queueName, or use priorityClassName)"]


def test_the_name_of_a_queue_fits_the_label_that_kueue_reads():
    spec = wire_spec()
    spec["systems"][0]["queueName"] = "Team_A"

    (said,) = findings(spec)
    assert "'Team_A' is not the name of a queue" in said


def test_a_pass_that_may_take_longer_than_its_job_is_refused():
    spec = wire_spec(activeDeadlineSeconds=3600)
    spec["passes"][1]["activeDeadlineSeconds"] = 3601
    assert findings(spec) == [
        "spec.passes[1].activeDeadlineSeconds: 3601 seconds are more than the whole job has, which are 3600"
        " (lower it, or raise spec.activeDeadlineSeconds)"
    ]


def test_a_pass_may_take_as_long_as_its_job():
    spec = wire_spec(activeDeadlineSeconds=3600)
    spec["passes"][1]["activeDeadlineSeconds"] = 3600
    assert findings(spec) == []
