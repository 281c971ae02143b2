"""Errors that add up are made to cancel; those that don't are left alone."""

import numpy as np
import pytest

from finetune_runner.passes.rounding.blocks import Blocks, k_quant
from finetune_runner.passes.rounding.evening import evened
from finetune_runner.passes.rounding.methods import even_k_quant

NF4 = np.array(
    [
        -1,
        -0.6962,
        -0.5251,
        -0.3949,
        -0.2844,
        -0.1848,
        -0.0911,
        0,
        0.0796,
        0.1609,
        0.2461,
        0.3379,
        0.4407,
        0.5626,
        0.723,
        1,
    ]
)
"""The levels of bitsandbytes' NF4 (Dettmers et al. 2023, arXiv:2305.14314, appendix E)."""


def independent(seed=0, count=400):
    return np.random.default_rng(seed).normal(size=(32, count)).astype(np.float32)


def dequantised(seed=0, count=400):
    """Weights as NF4 leaves them, in blocks of 64, and an adapter's product that is small beside them."""
    weights = independent(seed, count).T.reshape(-1, 64)
    widest = np.max(np.abs(weights), axis=1, keepdims=True)
    nearest = np.argmin(np.abs(weights[..., None] / widest[..., None] - NF4), axis=-1)
    adapted = NF4[nearest] * widest + np.random.default_rng(seed + 1).normal(scale=0.01, size=weights.shape)
    return np.ascontiguousarray(adapted.reshape(-1, 32).T.astype(np.float32))


def from_q4_k(seed=0, count=400):
    """Weights as a Q4_K file of llama.cpp leaves them: sixteen levels for each 32, with a scale and a least value."""
    weights = independent(seed, count)
    low, high = np.minimum(weights.min(axis=0), 0), weights.max(axis=0)
    scale = (high - low) / 15
    return (np.clip(np.rint((weights - low) / scale), 0, 15) * scale + low).astype(np.float32)


def errors(weights, found):
    """In steps."""
    scales = found.scales.astype(np.float32)
    return (found.levels.astype(np.float32) - found.zero_points) - weights / np.where(scales == 0, 1, scales)


@pytest.mark.parametrize("bits", [4, 8])
def test_blocks_of_independent_weights_stay_as_they_are(bits):
    before, after = (rounding(independent(), bits, np.float32) for rounding in (k_quant, even_k_quant))

    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def squares(weights, found):
    """Means over the blocks: of the squared sum of a block's errors, and of its sum of squared errors."""
    off = errors(weights, found)
    return np.mean(np.sum(off, axis=0) ** 2), np.mean(np.sum(off**2, axis=0))


def test_errors_of_dequantised_weights_add_up_and_are_made_to_cancel():
    weights = dequantised()
    before, after = (squares(weights, rounding(weights, 4, np.float32)) for rounding in (k_quant, even_k_quant))

    assert before[0] > 2 * before[1]
    assert after[0] < before[0] / 2
    assert after[1] < 1.1 * before[1]


def test_what_cancels_errors_of_a_file_in_four_bits_is_no_more_than_a_little_further_off():
    """There all errors of a block add up, and few lie half way: to cancel them all would double the squared error."""
    weights = from_q4_k()
    before, after = (squares(weights, rounding(weights, 4, np.float32)) for rounding in (k_quant, even_k_quant))

    assert before[0] > 8 * before[1]
    assert before[1] < after[1] < 1.05 * before[1]


def test_a_product_of_dequantised_weights_with_inputs_that_have_a_mean_is_nearer_to_what_it_was():
    weights = dequantised()
    inputs = np.random.default_rng(2).normal(loc=1, size=(100, 32)).astype(np.float32)

    def lost(found):
        return np.mean((inputs @ (errors(weights, found) * found.scales)) ** 2)

    assert lost(even_k_quant(weights, 4, np.float32)) < 0.6 * lost(k_quant(weights, 4, np.float32))


def test_a_weight_moves_by_one_level_at_most_and_stays_within_the_levels():
    weights = dequantised(seed=3)
    before, after = (rounding(weights, 4, np.float32) for rounding in (k_quant, even_k_quant))

    moves = after.levels.astype(int) - before.levels
    assert set(np.unique(moves)) == {-1, 0, 1}
    assert after.levels.max() <= 15


def test_of_one_sided_errors_those_next_to_the_other_level_move():
    weights = np.array([[0.42, 0.3, 0.2, 0.45, 0.0, 1.3]], np.float32).T
    found = Blocks(np.array([[0, 0, 0, 0, 0, 1]], np.uint8).T, np.ones(1, np.float32), np.zeros(1, np.uint8))

    assert evened(found, weights, 4).levels.T.tolist() == [[1, 0, 0, 1, 0, 1]]


def test_weights_that_are_well_nearer_to_their_own_level_stay_even_where_all_errors_are_to_one_side():
    weights = np.full((16, 1), 0.35, np.float32)
    found = Blocks(np.zeros((16, 1), np.uint8), np.ones(1, np.float32), np.zeros(1, np.uint8))

    assert evened(found, weights, 4).levels.tolist() == found.levels.tolist()


def test_errors_that_only_the_outermost_level_could_make_good_stay():
    weights = np.full((16, 1), 15.4, np.float32)
    found = Blocks(np.full((16, 1), 15, np.uint8), np.ones(1, np.float32), np.zeros(1, np.uint8))

    assert evened(found, weights, 4).levels.tolist() == found.levels.tolist()


def test_blocks_of_zeros_stay_zero():
    weights = np.hstack([dequantised(), np.zeros((32, 2), np.float32)])
    found = even_k_quant(weights, 4, np.float32)

    assert ((found.levels[:, -2:].astype(int) - found.zero_points[-2:]) == 0).all()
