from dataclasses import replace

import numpy as np
import pytest

from vto_utils.synth.folds import fold_heights, strain
from vto_utils.synth.shells import load_pattern
from vto_utils.synth.styles import edges


def heights(garment, squeeze=0.0, seed=1, **changes):
    pattern = garment.pattern
    style = replace(garment.style, **changes)
    squeezed = np.full(len(pattern.points), squeeze, np.float32)
    return fold_heights(style, edges(style, pattern), pattern, squeezed, seed)


def rms(values, where=slice(None)):
    return float(np.sqrt(np.mean(values[where] ** 2)))


def test_cloth_that_keeps_its_lengths_is_not_strained():
    pattern = load_pattern("robe")
    turned = pattern.points[:, [2, 0, 1]] + 3  # a rigid motion
    assert np.abs(strain(pattern.points, turned, pattern)).max() < 1e-3
    assert strain(pattern.points, 1.5 * pattern.points, pattern).max() == 0  # pulled is not squeezed


def test_strain_is_the_share_by_which_edges_get_shorter():
    pattern = load_pattern("trousers")
    squeezed = strain(pattern.points, 0.7 * pattern.points, pattern)
    assert squeezed.dtype == np.float32
    np.testing.assert_allclose(squeezed, 0.3, atol=0.01)
    bent = pattern.points.copy()
    knee = np.abs(bent[:, 1] + 3.6) < 0.6
    bent[:, 1] = np.where(bent[:, 1] < -3.0, -3.0 + 0.5 * np.maximum(bent[:, 1] + 3.0, -1.2), bent[:, 1])
    there = strain(pattern.points, bent, pattern)
    assert there[knee].mean() > 0.2 > 10 * there[pattern.points[:, 1] > -1].max()


@pytest.mark.parametrize("name", ["tee", "long", "tank", "trousers", "skirt", "dress"])
def test_folds_are_shallow_and_the_same_for_a_seed(clothes, name):
    garment = clothes[name]
    worn = garment.edge > 0
    first = heights(garment)
    assert first.shape == (len(garment.pattern.points),) and first.dtype == np.float32
    assert np.isfinite(first).all() and np.abs(first[worn]).max() < 0.6  # dm
    assert 0.002 < rms(first, worn) < 0.2
    np.testing.assert_array_equal(first, heights(garment))
    assert rms(first - heights(garment, seed=2), worn) > 0.5 * rms(first, worn)


@pytest.mark.parametrize("name", ["long", "trousers"])
def test_what_the_pose_squeezes_folds_more(clothes, name):
    garment = clothes[name]
    worn = (garment.edge > 0.3) & (np.abs(garment.pattern.points[:, 1]) < 4)
    amounts = [rms(heights(garment, squeeze), worn) for squeeze in (0.0, 0.1, 0.2)]
    assert amounts[0] < amounts[1] < amounts[2]


def test_loose_clothes_fold_more_than_tight_ones(clothes):
    trunk = (clothes["tee"].pattern.arm < 0.01) & (clothes["tee"].edge > 0.3)
    assert rms(heights(clothes["tee"], loose=0.5), trunk) > 1.3 * rms(heights(clothes["tee"], loose=0.0), trunk)
    sleeve = (clothes["long"].pattern.arm > 0.9) & (clothes["long"].edge > 0.3)
    wide, tight = (rms(heights(clothes["long"], sleeve_loose=loose), sleeve) for loose in (0.3, 0.0))
    assert wide > 1.3 * tight
    shin = clothes["trousers"].pattern.points[:, 1] < -4
    wide, tight = (rms(heights(clothes["trousers"], leg_loose=loose), shin) for loose in (0.4, 0.0))
    assert wide > 1.3 * tight


def test_left_and_right_fold_differently_but_alike(clothes):
    pattern = clothes["long"].pattern
    values = heights(clothes["long"])
    arms = (pattern.arm > 0.95) & (clothes["long"].edge > 0.3)
    left, right = (values[arms & (pattern.points[:, 0] * sign > 0)] for sign in (1, -1))
    assert 0.5 < rms(left) / rms(right) < 2
    assert np.abs(np.sort(left)[:: len(left) // 50][:40] - np.sort(right)[:: len(right) // 50][:40]).max() > 1e-3
