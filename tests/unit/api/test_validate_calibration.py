"""gptq needs rows, rounds to four bits, and no node or product is an exception."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

PATH = "spec.passes[2].modelBuilder"


def findings(**fields):
    spec = wire_spec()
    spec["passes"][2]["modelBuilder"] = fields
    return [str(problem) for problem in parse(spec)[1]]


def test_rows_of_a_data_config_are_all_it_needs():
    assert findings(algorithm="gptq", calibrationData="tones") == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"calibrationData": ""}, "calibrationData: gptq needs rows to calibrate by (name a data config, such as"),
        ({"calibrationData": "tone"}, "calibrationData: no data config is named 'tone' (use one of: tones)"),
        ({"precision": "int8"}, "algorithm: gptq rounds to 4 bits, and precision is int8 (use k_quant)"),
        ({"isSymmetric": True}, "isSymmetric: gptq always rounds with zero points (leave it out"),
        ({"nodesToExclude": ["/lm_head/MatMul"]}, "nodesToExclude: gptq rounds all products of the decoder layers ("),
        (
            {"extraOptions": {"matmul_mixed_precision": "last_matmul:int8"}},
            "extraOptions[matmul_mixed_precision]: gptq rounds all products and the head to 4 bits (leave it out, or",
        ),
        ({"algorithm": "k_quant"}, "calibrationData: has no effect with algorithm: k_quant (use algorithm: gptq)"),
    ],
)
def test_what_goes_not_with_it_is_refused(fields, problem):
    [found] = findings(**{"algorithm": "gptq", "calibrationData": "tones"} | fields)
    assert found.startswith(f"{PATH}.{problem}")


def test_an_adapter_beside_its_base_is_not_calibrated():
    spec = wire_spec([("tune", "gpu", "lora"), ("merge", "cpu", "merge")])
    spec["passes"][1] = {"name": "swap", "system": "cpu", "extractAdapters": {"algorithm": "gptq"}}

    [found] = [str(problem) for problem in parse(spec)[1]]

    assert found.startswith(
        "spec.passes[1].extractAdapters.algorithm: gptq would calibrate the base without its adapter"
    )
