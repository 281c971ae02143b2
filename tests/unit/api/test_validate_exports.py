"""What is said about exports that can not be, or not be measured."""

from typing import Any

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse


def findings(spec: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in parse(spec)[1]]


def test_k_quant_without_zero_points_is_refused():
    spec = wire_spec()
    spec["passes"][2]["modelBuilder"] = {"isSymmetric": True}

    assert findings(spec) == [
        "spec.passes[2].modelBuilder.isSymmetric: k_quant always rounds with zero points"
        " (leave it out, or use algorithm: rtn)"
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"precision": "fp16"}, "precision: fp16 does not run on CPUExecutionProvider (use int4 or int8 or fp32)"),
        (
            {"executionProvider": "NvTensorRTRTXExecutionProvider"},
            "precision: int4 does not run on NvTensorRTRTXExecutionProvider (use fp16 or bf16)",
        ),
        ({"precision": "fp32", "nodesToExclude": ["/lm_head/MatMul"]}, "nodesToExclude: has no effect with fp32"),
        ({"useQdq": True}, "useQdq: has no effect with algorithm: k_quant (use algorithm: default)"),
        ({"opTypesToQuantize": ["Gather"]}, "opTypesToQuantize: Gather has no effect with algorithm: k_quant"),
        ({"precision": "int8", "useQdq": True, "algorithm": "default"}, "useQdq: int8 has no QDQ form"),
        ({"enableCudaGraph": True}, "enableCudaGraph: has no effect on CPUExecutionProvider"),
        ({"extraOptions": {"block_size": "64"}}, "extraOptions[block_size]: is a field of its own (set blockSize)"),
        ({"extraOptions": {"config_only": "1"}}, "extraOptions[config_only]: is not taken: no model would be exported"),
        ({"extraOptions": {"fuse_qvk": "1"}}, "no such option (did you mean fuse_qkv?)"),
    ],
)
def test_an_export_that_cannot_be_or_an_option_without_effect_is_refused(fields, said):
    spec = wire_spec([("int4", "cpu", "build")])
    spec["passes"][0]["modelBuilder"] = fields

    [text] = findings(spec)
    assert text.startswith("spec.passes[0].modelBuilder.")
    assert said in text


def exported(target, **fields):
    spec = wire_spec([("int4", "cpu", "build")], engine={"target": {"executionProvider": target}})
    spec["passes"][0]["modelBuilder"] = fields
    return findings(spec)


def test_a_precision_is_checked_against_the_engines_target():
    assert exported("DmlExecutionProvider", precision="fp16") == []
    assert exported("WebGpuExecutionProvider", precision="fp16") == [
        "spec.passes[0].modelBuilder.precision: fp16 does not run on WebGpuExecutionProvider (use int4 or int8)"
    ]


def test_an_exports_own_provider_counts_instead_of_the_engines_target():
    own = {"executionProvider": "CPUExecutionProvider"}
    assert exported("NvTensorRTRTXExecutionProvider", precision="int4", **own) == []


def test_a_graph_for_cuda_is_measured_on_a_system_with_an_accelerator():
    def measured_on(system, **accelerator):
        chain = [("int4", "cpu", "build"), ("check", system, "evaluate")]
        spec = wire_spec(chain, engine={"target": {"executionProvider": "CUDAExecutionProvider"}})
        spec["systems"][0]["accelerator"] = accelerator
        return findings(spec)

    refused = (
        "spec.passes[1]: 'int4' is made for CUDAExecutionProvider, which needs an accelerator that system {!r} lacks"
        " (run it on a system with one, or measure the model before its export)"
    )
    assert measured_on("gpu") == []
    assert measured_on("gpu", resourceName="example.com/shared-gpu") == []
    assert measured_on("gpu", resourceName="amd.com/gpu") == [refused.format("gpu")]
    assert measured_on("cpu") == [refused.format("cpu")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"executionProvider": "DmlExecutionProvider"}, "'int4' is made for DmlExecutionProvider"),
        ({"excludeLmHead": True}, "'int4' lacks its embedding or its head"),
    ],
)
def test_measuring_a_graph_that_cannot_be_run_here_is_refused(fields, said):
    spec = wire_spec([("int4", "cpu", "build"), ("check", "cpu", "evaluate")])
    spec["passes"][0]["modelBuilder"] = fields

    [text] = findings(spec)
    assert text.startswith("spec.passes[1]: ")
    assert said in text
