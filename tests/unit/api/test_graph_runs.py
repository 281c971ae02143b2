"""Which systems have to run a graph that is made for CUDA."""

import pytest

from api_specs import spec_of, wire_pass, wire_spec
from finetune_api.graph_runs import cuda_systems
from finetune_api.resource.job import FineTuneJobSpec

CUDA = {"engine": {"target": {"executionProvider": "CUDAExecutionProvider"}}}
CHAIN = [("tune", "gpu", "lora"), ("merge", "cpu", "merge"), ("int4", "cpu", "build")]
MEASURED = [*CHAIN, ("check", "gpu", "evaluate")]


def test_a_graph_that_is_only_built_runs_nowhere():
    assert cuda_systems(spec_of(CHAIN, **CUDA)) == set()


def test_one_that_is_built_where_there_is_a_device_answers_there():
    assert cuda_systems(spec_of([*CHAIN[:2], ("int4", "gpu", "build")], **CUDA)) == {"gpu"}


def test_one_that_is_measured_runs_where_it_is_measured():
    assert cuda_systems(spec_of(MEASURED, **CUDA)) == {"gpu"}


def test_one_that_is_compared_with_runs_there_too():
    spec = wire_spec([*CHAIN, ("base", "gpu", "evaluate")], **CUDA)
    spec["passes"][3] |= {"input": "merge"}
    spec["passes"][3]["evaluate"]["comparedTo"] = "int4"
    assert cuda_systems(FineTuneJobSpec.model_validate(spec)) == {"gpu"}


def test_another_pass_on_a_device_runs_no_graph():
    assert cuda_systems(spec_of(MEASURED)) == set()


@pytest.mark.parametrize(("resource", "systems"), [("nvidia.com/gpu", {"gpu"}), ("amd.com/gpu", set())])
def test_only_nvidias_devices_run_it(resource, systems):
    spec = spec_of(
        [*CHAIN[:2], ("int4", "gpu", "build")],
        **CUDA,
        systems=[{"name": "gpu", "accelerator": {"resourceName": resource}}, {"name": "cpu"}],
    )
    assert cuda_systems(spec) == systems


def test_an_export_that_says_its_own_provider_counts_by_that():
    build = wire_pass("int4", "gpu", "build", modelBuilder={"executionProvider": "CPUExecutionProvider"})
    spec = wire_spec(CHAIN[:2], **CUDA)
    spec["passes"].append(build)
    assert cuda_systems(FineTuneJobSpec.model_validate(spec)) == set()
