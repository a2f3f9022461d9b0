from __future__ import annotations

import numpy as np
import pytest

from vto_utils import filters
from vto_utils.filters import GuidedFilter


def slow_guided_filter(guide: np.ndarray, values: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """The definition: in every window a ridge regression on the guide's colours, then the mean of their answers."""
    height, width = values.shape

    def window(array: np.ndarray, y: int, x: int) -> np.ndarray:
        pad = [(radius, radius)] * 2 + [(0, 0)] * (array.ndim - 2)
        patch = np.pad(array, pad, mode="symmetric")[y : y + 2 * radius + 1, x : x + 2 * radius + 1]
        return patch.reshape(-1, *array.shape[2:])

    coefficients = np.zeros((height, width, 4))
    for y, x in np.ndindex(height, width):
        colours = window(guide.astype(float), y, x)
        design = np.hstack([colours, np.ones((len(colours), 1))])
        ridge = np.diag([epsilon * len(colours)] * 3 + [0])
        coefficients[y, x] = np.linalg.solve(design.T @ design + ridge, design.T @ window(values.astype(float), y, x))
    result = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        *slope, offset = window(coefficients, y, x).mean(0)
        result[y, x] = guide[y, x] @ slope + offset
    return result


@pytest.mark.parametrize(("radius", "epsilon"), [(1, 1e-1), (2, 1e-2), (2, 1e-4)])
def test_guided_filter_is_regression_in_windows(radius: int, epsilon: float) -> None:
    rng = np.random.default_rng(0)
    guide = rng.random((12, 15, 3)).astype(np.float32)
    values = rng.random((12, 15)).astype(np.float32)
    expected = slow_guided_filter(guide, values, radius, epsilon)
    found = GuidedFilter(guide, radius, epsilon)(values)
    assert found.dtype == np.float32 and found.shape == values.shape
    assert np.abs(found - expected).max() < 2e-6


def test_guided_filter_keeps_constants_and_sums() -> None:
    rng = np.random.default_rng(1)
    follow = GuidedFilter(rng.random((30, 40, 3)).astype(np.float32), 4, 1e-3)
    assert np.abs(follow(np.full((30, 40), 0.7, np.float32)) - 0.7).max() < 1e-5
    one, two = rng.random((2, 30, 40)).astype(np.float32)
    assert np.abs(follow(one + 2 * two) - follow(one) - 2 * follow(two)).max() < 1e-5


def test_guided_filter_keeps_an_edge_of_the_guide_and_smooths_elsewhere() -> None:
    rng = np.random.default_rng(2)
    step = np.zeros((40, 40), np.float32)
    step[:, 20:] = 1
    noisy = step + rng.normal(0, 0.1, step.shape).astype(np.float32)
    guide = np.repeat(step[..., None], 3, 2)
    with_edge = GuidedFilter(guide, 4, 1e-4)(noisy)
    assert np.abs(with_edge - step).max() < 0.1
    assert np.abs(with_edge - step).std() < 0.02
    without = GuidedFilter(np.full_like(guide, 0.5), 4, 1e-4)(noisy)
    assert abs(without[20, 20] - without[20, 19]) < 0.15  # a plain guide has nothing to follow


# fill -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 48), (37, 53), (128, 64), (256, 118), (20, 200), (1, 9), (9, 1), (2, 2)])
@pytest.mark.parametrize("place", [0, -1, 0.4])
def test_fill_is_exact_for_constants(shape: tuple[int, int], place: float) -> None:
    known = np.zeros(shape, np.float32)
    row, column = (int(place * n) if 0 < place < 1 else int(place) for n in shape)
    known[row, column] = 1  # one pixel is enough
    values = np.where(known[..., None] > 0, np.float32([10, 200, 90]), 0).astype(np.float32)
    assert np.abs(filters.fill(values, known) - [10, 200, 90]).max() < 1e-2


def test_fill_leaves_known_pixels_and_stays_between_them() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(50, 180, (61, 47, 3)).astype(np.float32)
    known = (rng.random((61, 47)) < 0.2).astype(np.float32)
    known[20:40, 10:30] = 0
    filled = filters.fill(values, known)
    assert filled.dtype == np.float32 and filled.shape == values.shape
    assert np.array_equal(filled[known == 1], values[known == 1])
    seen = values[known == 1]
    assert (filled >= seen.min(0) - 1e-3).all() and (filled <= seen.max(0) + 1e-3).all()


def test_fill_does_not_look_at_unknown_values() -> None:
    rng = np.random.default_rng(4)
    values = rng.random((33, 40, 3)).astype(np.float32)
    known = (rng.random((33, 40)) < 0.5).astype(np.float32)
    other = np.where(known[..., None] > 0, values, 1e4).astype(np.float32)
    assert np.allclose(filters.fill(values, known), filters.fill(other, known), atol=1e-4)


def test_fill_continues_a_slope() -> None:
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 32, 0)
    known = np.ones((32, 64), np.float32)
    known[8:24, 20:44] = 0
    assert np.abs(filters.fill(ramp, known) - ramp).max() < 0.12


def test_fill_with_everything_or_nothing_known() -> None:
    values = np.random.default_rng(5).random((12, 10, 3)).astype(np.float32)
    whole = filters.fill(values, np.ones((12, 10), np.float32))
    assert np.array_equal(whole, values) and whole is not values
    assert not filters.fill(values, np.zeros((12, 10), np.float32)).any()


# Masks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.1, 1, 2.5, 6])
def test_feather_keeps_the_contour_of_a_straight_edge(radius: float) -> None:
    mask = np.zeros((40, 60), bool)
    mask[:, 25:] = True  # the edge lies between columns 24 and 25
    soft = filters.feather(mask, radius)
    assert soft.dtype == np.float32
    row = soft[20]
    assert (np.diff(row) >= -1e-6).all() and row[0] < 1e-3 and row[-1] > 0.999
    assert row[24] < 0.5 < row[25] and row[24] + row[25] == pytest.approx(1, abs=1e-5)


def test_feather_is_wider_with_its_radius() -> None:
    mask = np.zeros((40, 60), bool)
    mask[:, 30:] = True
    soft = [filters.feather(mask, radius) for radius in (1, 3, 9)]
    widths = [((layer > 0.05) & (layer < 0.95)).sum() for layer in soft]
    assert widths == sorted(widths) and widths[0] < widths[2]


@pytest.mark.parametrize("radius", [0, 0.4, 1, 3, 7.6])
def test_disc_and_grow(radius: float) -> None:
    element = filters.disc(radius)
    assert element.shape == (2 * round(radius) + 1,) * 2
    assert np.array_equal(element, element[::-1]) and np.array_equal(element, element[:, ::-1])
    point = np.zeros((21, 25), bool)
    point[10, 12] = True
    grown = filters.grow(point, radius)
    assert grown.dtype == bool
    ys, xs = np.nonzero(grown)
    assert grown.sum() == element.sum()
    assert np.abs(ys - 10).max() == np.abs(xs - 12).max() == round(radius)


def test_grow_and_shrink_undo_each_other_for_a_large_square() -> None:
    square = np.zeros((60, 60), bool)
    square[15:45, 15:45] = True
    assert np.array_equal(filters.grow(filters.grow(square, 5), -5), square)
    shrunk = filters.grow(square, -5)
    assert shrunk.sum() == 20 * 20 and shrunk[20:40, 20:40].all()
    assert filters.grow(np.ones((9, 9), bool), -3).all()  # the border of the picture is no edge


def test_largest_component() -> None:
    mask = np.zeros((20, 20), bool)
    mask[1:4, 1:4] = True
    mask[10:15, 10:15] = True
    mask[15, 15] = True  # joined by a corner
    mask[18, 2] = True
    largest = filters.largest_component(mask)
    assert largest.sum() == 26 and largest[15, 15] and not largest[2, 2]
    empty = filters.largest_component(np.zeros((5, 6), bool))
    assert empty.dtype == bool and empty.shape == (5, 6) and not empty.any()


def test_fill_holes() -> None:
    ring = np.zeros((12, 12), bool)
    ring[2:10, 2:10] = True
    ring[4:6, 4:6] = False  # a hole
    ring[7, 7:] = False  # an inlet
    filled = filters.fill_holes(ring)
    expected = ring.copy()
    expected[4:6, 4:6] = True
    assert filled.dtype == bool and np.array_equal(filled, expected)
    touching = np.ones((8, 8), bool)
    touching[0, 3:5] = False  # open to the border
    touching[4, 4] = False
    expected = touching.copy()
    expected[4, 4] = True
    assert np.array_equal(filters.fill_holes(touching), expected)
    assert not filters.fill_holes(np.zeros((4, 4), bool)).any()


def test_polygon_mask() -> None:
    square = np.array([[2, 3], [6.4, 3], [6.4, 7], [2, 7]])
    mask = filters.polygon_mask(square, (12, 10))
    expected = np.zeros((12, 10), bool)
    expected[3:8, 2:7] = True
    assert mask.dtype == bool and np.array_equal(mask, expected)
    beyond = filters.polygon_mask(square * [3, 1], (12, 10))  # reaches out of the picture
    assert beyond[3:8, 6:].all() and not beyond[:, :6].any()
