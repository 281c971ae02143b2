"""Rounding in blocks: known optima, errors against plain rounding, and the bytes that MatMulNBits reads."""

import numpy as np
import pytest

from finetune_runner.passes.rounding import matrix
from finetune_runner.passes.rounding.blocks import k_quant, nearest, nearest_symmetric, on_grid
from finetune_runner.passes.rounding.matrix import Form, rounded


def blocks(*rows):
    return np.array(rows, dtype=np.float32).T


def restored(found):
    return (found.levels.astype(np.float32) - found.zero_points) * found.scales.astype(np.float32)


def random_blocks(seed=0, count=500):
    return np.random.default_rng(seed).normal(size=(32, count)).astype(np.float32)


def weighted_error(weights, found):
    importance = np.abs(weights) + np.sqrt(np.mean(weights**2, axis=0))
    return np.sum(importance * (restored(found) - weights) ** 2, axis=0)


@pytest.mark.parametrize("rounding", [k_quant, nearest])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("below_zero", [0, 3, 8, 15])
def test_weights_that_lie_on_an_even_grid_are_kept_exactly(rounding, bits, below_zero):
    weights = 0.125 * blocks(np.arange(2**bits) - below_zero)

    np.testing.assert_allclose(restored(rounding(weights, bits, np.float32)), weights, atol=1e-5)


@pytest.mark.parametrize("rounding", [k_quant, nearest])
@pytest.mark.parametrize("sign", [1, -1])
def test_zero_is_in_the_range_of_weights_of_one_sign(rounding, sign):
    weights = sign * blocks(np.linspace(10, 12, 16))

    np.testing.assert_allclose(restored(rounding(weights, 4, np.float32)), weights, atol=0.51)


@pytest.mark.parametrize("rounding", [k_quant, nearest, nearest_symmetric])
def test_a_block_of_zeros_stays_zero(rounding):
    found = rounding(np.zeros((16, 3), np.float32), 4, np.float32)

    assert restored(found).tolist() == np.zeros((16, 3)).tolist()
    assert np.isfinite(found.scales).all()


@pytest.mark.parametrize("value", [3.0, -3.0])
@pytest.mark.parametrize("rounding", [k_quant, nearest])
def test_a_block_of_one_value_is_kept(rounding, value):
    found = rounding(np.full((16, 1), value, np.float32), 4, np.float32)

    np.testing.assert_allclose(restored(found), value, rtol=1e-6)


def test_one_weight_off_the_grid_moves_k_quants_scale_to_where_the_weighted_error_is_least():
    # Levels 0 to 15 with the last at 15.2: the scale of least squares is sum(i q w) / sum(i q^2), i = w + rms(w).
    weights = blocks([*range(15), 15.2])
    importance = weights[:, 0] + np.sqrt(np.mean(weights[:, 0] ** 2))
    levels = np.arange(16)

    found = k_quant(weights, 4, np.float32)

    assert found.levels[:, 0].tolist() == levels.tolist()
    expected = np.sum(importance * levels * weights[:, 0]) / np.sum(importance * levels**2)
    assert found.scales[0] == pytest.approx(expected, rel=1e-5)


def test_no_block_is_worse_off_with_k_quant_than_with_round_to_nearest():
    weights = random_blocks()

    ours = weighted_error(weights, k_quant(weights, 4, np.float32))
    assert np.all(ours <= weighted_error(weights, nearest(weights, 4, np.float32)) * 1.0001)


@pytest.mark.parametrize(("bits", "at_most"), [(4, 0.9), (8, 0.9)])
def test_k_quant_lowers_the_weighted_error(bits, at_most):
    weights = random_blocks()

    ours = weighted_error(weights, k_quant(weights, bits, np.float32)).sum()
    assert ours <= at_most * weighted_error(weights, nearest(weights, bits, np.float32)).sum()


def test_levels_are_chosen_for_the_scale_as_it_is_kept():
    weights = random_blocks() * 1e-6  # where float16 has few digits left

    kept, levels = k_quant(weights, 4, np.float16), k_quant(weights, 4, np.float32).levels

    assert kept.scales.dtype == np.float16
    nearer = np.abs(restored(kept) - weights) <= np.abs(
        (levels.astype(np.float32) - kept.zero_points) * kept.scales.astype(np.float32) - weights
    )
    assert nearer.all()


def test_scales_too_small_for_their_type_leave_nothing_that_is_no_number():
    found = k_quant(random_blocks() * 1e-12, 4, np.float16)

    assert np.isfinite(restored(found)).all()


def test_symmetric_rounding_has_its_zero_in_the_middle():
    found = nearest_symmetric(blocks([-7.5, 0, 1, 7.5]), 4, np.float32)

    assert found.levels[:, 0].tolist() == [0, 8, 9, 15]
    assert (found.scales[0], found.zero_points[0]) == (1, 8)


def form(**fields):
    given = {"rounding": nearest, "bits": 4, "block_size": 16, "scale_type": np.float32, "keeps_zero_points": True}
    return Form(**given | fields)


def rounded_rows(rows, **fields):
    rows = np.array(rows, np.float32)
    return rounded(lambda start, end: rows[start:end], rows.shape, form(**fields))


def test_two_levels_share_a_byte_the_first_in_its_low_half():
    found = rounded_rows([[*range(16)]])

    assert found["weights"].tolist() == [[[0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE]]]
    assert found["scales"].tolist() == [[1]]
    assert found["zero_points"].tolist() == [[0]]


def test_zero_points_of_a_row_begin_a_byte_of_their_own():
    # Three blocks a row: its zero points are 15, 0 and 15.
    row = [*range(-15, 1), *range(16), *range(-15, 1)]

    assert rounded_rows([row, row])["zero_points"].tolist() == [[0x0F, 0x0F], [0x0F, 0x0F]]


def test_eight_bits_have_a_byte_for_each_level_and_zero_point():
    found = rounded_rows([[*range(-55, -39), *range(185, 201)]], bits=8, block_size=32)

    assert found["weights"].tolist() == [[[*range(16), *range(240, 256)]]]
    assert found["zero_points"].tolist() == [[55]]


def test_a_last_block_that_is_not_full_is_filled_with_zeros():
    found = rounded_rows([[*range(16), 3, 15, 0]])

    assert found["weights"].shape == (1, 2, 8)
    assert found["weights"][0, 1].tolist() == [0xF3, 0, 0, 0, 0, 0, 0, 0]


def test_without_zero_points_none_are_kept():
    assert set(rounded_rows([[*range(16)]], rounding=nearest_symmetric, keeps_zero_points=False)) == {
        "weights",
        "scales",
    }


def test_a_matrix_of_many_parts_is_rounded_as_its_rows_are():
    rows = np.random.default_rng(0).normal(size=(700, 200)).astype(np.float32)  # 9,100 blocks

    whole = rounded_rows(rows, rounding=k_quant)
    alone = rounded_rows(rows[690:691], rounding=k_quant)

    for name, values in alone.items():
        np.testing.assert_array_equal(whole[name][690:691], values)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_matrix_restored_is_what_its_packed_bytes_say(bits):
    """Five blocks a row, the last of them not full."""
    weights = np.random.default_rng(3).normal(size=(7, 70)).astype(np.float32)
    form = Form(k_quant, bits, 16, np.float32, keeps_zero_points=True)
    parts = rounded(lambda start, end: weights[start:end], weights.shape, form)
    levels, zeros = parts["weights"], parts["zero_points"]
    if bits == 4:
        levels, zeros = (np.stack([packed & 15, packed >> 4], axis=-1) for packed in (levels, zeros))
    levels, zeros = levels.reshape(7, 5, 16).astype(np.float32), zeros.reshape(7, -1)[:, :5, None]
    expected = ((levels - zeros) * parts["scales"][:, :, None]).reshape(7, 80)[:, :70]

    found = matrix.restored(lambda start, end: weights[start:end], weights.shape, form)

    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert 0 < np.abs(found - weights).max() < 0.5


def test_a_grid_that_weights_lie_on_is_kept_though_they_use_few_of_its_levels():
    """As GPTQ leaves them: k-quant would find another one for these."""
    steps = np.random.default_rng(5).integers([[-9], [0], [-1]], [[4], [16], [2]], size=(3, 32))
    weights = (steps * [[0.0123], [0.7], [3e-5]]).astype(np.float32).T

    found = on_grid(weights, 4, np.float32)

    np.testing.assert_allclose(restored(found), weights, rtol=1e-5)
    assert found.levels.max() <= 15


def test_weights_on_no_grid_are_rounded_by_k_quant():
    weights = random_blocks(count=20)
    for found, expected in zip(on_grid(weights, 4, np.float32), k_quant(weights, 4, np.float32), strict=True):
        np.testing.assert_array_equal(found, expected)
