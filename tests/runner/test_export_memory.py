"""k-quant in parts gives what k-quant gives."""

import numpy as np
import pytest
from onnxruntime.quantization.neural_compressor.weight_only import quant_tensor_k_quant_cpu

from finetune_runner.passes.block_rounding import in_parts


@pytest.mark.parametrize("blocks", [1, 7, 10, 99])
def test_rounding_in_parts_changes_no_number(blocks):
    weights = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)

    whole = quant_tensor_k_quant_cpu(weights, 4, 32)
    parts = in_parts(quant_tensor_k_quant_cpu, blocks)(weights, 4, 32)

    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
    assert parts[0].dtype == np.uint8
