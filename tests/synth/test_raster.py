import itertools

import numpy as np
import pytest

from vto_utils.synth import raster
from vto_utils.synth.raster import FAR, Buffer

HEIGHT, WIDTH = 24, 30
ONE = np.array([[0, 1, 2]], np.int32)


def centres():
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return columns + 0.5, rows + 0.5


def drawn(points, faces=ONE, **options):
    buffer = Buffer.empty(HEIGHT, WIDTH)
    raster.fill(buffer, np.float32(points), np.asarray(faces, np.int32), **options)
    return buffer


def inside(triangle):
    """Which pixel centres a triangle holds, one half-plane at a time."""
    x, y = centres()
    sides = []
    for k in range(3):
        (x0, y0), (x1, y1) = triangle[k][:2], triangle[(k + 1) % 3][:2]
        sides.append((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0))
    sides = np.stack(sides)
    return (sides > 0).all(0) | (sides < 0).all(0), np.abs(sides).min(0) < 1e-3


def world(rng, near=3.0):
    """A triangle in front of a pinhole, and where it is on the screen."""
    corners = np.stack([rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 3), rng.uniform(near, near + 4, 3)], 1)
    screen = [WIDTH / 2, HEIGHT / 2] + 40 * corners[:, :2] / corners[:, 2:]
    return corners, np.concatenate([screen, corners[:, 2:]], 1)


def test_an_empty_buffer_sees_nothing():
    buffer = Buffer.empty(3, 5)
    assert buffer.depth.shape == buffer.triangle.shape == (3, 5) and buffer.weights.shape == (3, 5, 2)
    assert (buffer.depth == FAR).all() and (buffer.triangle == -1).all()
    assert (buffer.depth.dtype, buffer.triangle.dtype, buffer.weights.dtype) == (np.float32, np.int32, np.float32)


@pytest.mark.parametrize("seed", range(8))
def test_coverage_is_that_of_the_pixel_centres(seed):
    triangle = np.random.default_rng(seed).uniform([-8, -8, 1], [WIDTH + 8, HEIGHT + 8, 9], (3, 3))
    wanted, close = inside(np.float32(triangle))
    for order in itertools.permutations(range(3)):  # the way round does not matter
        covered = drawn(triangle[list(order)]).triangle == 0
        np.testing.assert_array_equal(covered[~close], wanted[~close])
    assert wanted.any()


def test_triangles_that_share_an_edge_leave_no_gap():
    turn = np.arange(7.0)  # radians: all round
    rim = np.stack([WIDTH / 2 + 13 * np.cos(turn), HEIGHT / 2 + 11 * np.sin(turn)], 1)
    points = np.concatenate([[[WIDTH / 2 + 0.2, HEIGHT / 2 - 0.3]], rim])
    points = np.concatenate([points, np.random.default_rng(1).uniform(2, 3, (8, 1))], 1)
    fan = [(0, k, k % 7 + 1) for k in range(1, 8)]
    x, y = centres()
    sides = []
    for (x0, y0), (x1, y1) in zip(rim, np.roll(rim, -1, 0), strict=True):
        sides.append((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0))
    sides = np.stack(sides)
    clear = np.abs(sides).min(0) > 1e-3
    np.testing.assert_array_equal((drawn(points, fan).triangle >= 0)[clear], (sides > 0).all(0)[clear])


@pytest.mark.parametrize("seed", range(6))
def test_interpolation_is_perspective_correct(seed):
    """Against the ray through each pixel's centre, cut with the triangle's plane in space."""
    corners, screen = world(np.random.default_rng(seed))
    buffer = drawn(screen)
    seen = buffer.triangle == 0
    if not seen.any():
        pytest.fail("choose a seed whose triangle is seen")
    x, y = centres()
    rays = np.stack([(x - WIDTH / 2) / 40, (y - HEIGHT / 2) / 40, np.ones_like(x)], -1)[seen]
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    hit = rays * (corners[0] @ normal / (rays @ normal))[:, None]
    np.testing.assert_allclose(buffer.depth[seen], hit[:, 2], rtol=2e-4)
    np.testing.assert_allclose(raster.interpolate(buffer, ONE, corners)[seen], hit, atol=2e-3)
    # and not linear on the screen
    ends = np.concatenate([screen[:, :2], np.ones((3, 1))], 1)
    flat = np.stack([x, y, np.ones_like(x)], -1)[seen] @ np.linalg.inv(ends) @ corners
    assert np.abs(flat - hit).max() > 0.02


def test_weights_are_one_at_the_corners_and_zero_elsewhere():
    points = np.array([[5.5, 4.5, 2], [25.5, 6.5, 3], [9.5, 20.5, 5]])
    points[:, :2] += 1e-3 * (points[:, :2] - points[:, :2].mean(0))  # so that the corners' pixels are inside
    buffer = drawn(points)
    for k, (column, row) in enumerate(((5, 4), (25, 6), (9, 20))):
        assert buffer.triangle[row, column] == 0
        np.testing.assert_allclose(buffer.weights[row, column], np.eye(3)[k][:2], atol=5e-3)
    seen = buffer.triangle == 0
    both = buffer.weights[seen]
    assert both.min() > -1e-4 and both.sum(1).max() < 1 + 1e-4
    assert (buffer.weights[~seen] == 0).all()


def test_the_nearer_one_wins_whatever_the_order():
    rng = np.random.default_rng(5)
    points = rng.uniform([0, 0, 2], [WIDTH, HEIGHT, 6], (30, 3))
    faces = np.arange(30).reshape(10, 3)
    alone = np.stack([drawn(points, face[None]).depth for face in faces])
    wanted = np.where(alone.min(0) < FAR, alone.argmin(0), -1)
    assert len(np.unique(wanted)) > 5
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(10)
        buffer = drawn(points, faces[order])
        np.testing.assert_array_equal(np.where(buffer.triangle < 0, -1, order[buffer.triangle]), wanted)
        np.testing.assert_array_equal(buffer.depth, alone.min(0))


def test_several_calls_share_a_buffer_and_its_count():
    near, far = np.float32([[2, 2, 3], [20, 2, 3], [2, 20, 3]]), np.float32([[0, 0, 6], [29, 0, 6], [0, 23, 6]])
    first, second = Buffer.empty(HEIGHT, WIDTH), Buffer.empty(HEIGHT, WIDTH)
    raster.fill(first, near, ONE, 0)
    raster.fill(first, far, ONE, 7)
    raster.fill(second, far, ONE, 7)
    raster.fill(second, near, ONE, 0)
    np.testing.assert_array_equal(first.triangle, second.triangle)
    assert set(np.unique(first.triangle)) == {-1, 0, 7}
    values = np.float32([[1, 10], [2, 20], [3, 30]])
    of_far = raster.interpolate(first, ONE, values, 7)
    assert of_far.shape == (HEIGHT, WIDTH, 2) and of_far.dtype == np.float32
    assert (of_far[first.triangle != 7] == 0).all() and of_far[first.triangle == 7].min() >= 0.99
    np.testing.assert_allclose(of_far[..., 1], 10 * of_far[..., 0], rtol=1e-4)


def test_the_edge_cuts_along_its_zero_line():
    points = np.float32([[1, 1, 4], [29, 1, 4], [1, 23, 4]])
    edge = np.float32([-3, 7, 2])
    buffer, whole = drawn(points, edge=edge), drawn(points).triangle == 0
    x, y = centres()
    ends = np.concatenate([points[:, :2], np.ones((3, 1))], 1)
    value = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(ends) @ edge
    clear = np.abs(value) > 1e-3
    np.testing.assert_array_equal((buffer.triangle == 0)[clear], (whole & (value > 0))[clear])
    assert (whole & (value < 0)).sum() > 10 and (whole & (value > 0)).sum() > 10
    assert (drawn(points, edge=np.float32([-1, -2, -3])).triangle == -1).all()
    np.testing.assert_array_equal(drawn(points, edge=np.float32([1, 2, 3])).triangle == 0, whole)


def test_what_is_cut_away_hides_nothing():
    points = np.float32([[1, 1, 3], [29, 1, 3], [1, 23, 3], [1, 1, 5], [29, 1, 5], [1, 23, 5]])
    buffer = drawn(points, [[0, 1, 2], [3, 4, 5]], edge=np.float32([-1, 1, 1, 1, 1, 1]))
    assert {0, 1} <= set(np.unique(buffer.triangle))
    np.testing.assert_array_equal(buffer.triangle >= 0, drawn(points[3:]).triangle >= 0)


@pytest.mark.parametrize("keep", [1, -1])
def test_keep_draws_one_way_round(keep):
    clockwise = np.float32([[2, 2, 3], [20, 2, 3], [2, 20, 3]])  # positive area: y runs down
    area = 1
    for points in (clockwise, clockwise[[0, 2, 1]]):
        assert (drawn(points, keep=keep).triangle == 0).any() == (area == keep)
        assert (drawn(points, keep=0).triangle == 0).any()
        area = -area


def test_alpha_cuts_what_is_below_a_half():
    points = np.float32([[0, 0, 3], [WIDTH, 0, 3], [0, HEIGHT, 3], [WIDTH, HEIGHT, 3]])
    faces = np.int32([[0, 1, 2], [1, 3, 2]])
    corners = np.float32([[[0, 0], [1, 0], [0, 1]], [[1, 0], [1, 1], [0, 1]]])
    alpha = np.full((4, 5), 0.2, np.float32)
    alpha[1, 3], alpha[2, 0] = 0.8, 0.5
    buffer = drawn(points, faces, corners=corners, alpha=alpha)
    wanted = np.kron(alpha >= 0.5, np.ones((HEIGHT // 4, WIDTH // 5))) > 0
    np.testing.assert_array_equal(buffer.triangle >= 0, wanted)
    softened = [drawn(points, faces, corners=corners, alpha=alpha, dither=d).triangle >= 0 for d in (0.5, 1.0)]
    assert set(np.unique(softened[0] ^ wanted)) <= {False, True}
    on_half = np.zeros_like(wanted)
    on_half[2 * HEIGHT // 4 : 3 * HEIGHT // 4, : WIDTH // 5] = True
    assert not (softened[0] ^ wanted)[~on_half].any()  # 0.2 and 0.8 lie outside the band
    assert 0.25 < softened[0][on_half].mean() < 0.75
    assert 0.05 < softened[1][wanted == 0].mean() < 0.4  # 0.2 is reached by a wider band
    again = drawn(points, faces, corners=corners, alpha=alpha, dither=1.0).triangle >= 0
    np.testing.assert_array_equal(softened[1], again)


@pytest.mark.parametrize(
    "points",
    [
        [[40, 2, 3], [60, 2, 3], [40, 20, 3]],  # to the right
        [[-30, -9, 3], [-2, -9, 3], [-30, -1, 3]],  # left above
        [[3, 3, 3], [12, 12, 3], [21, 21, 3]],  # no area
        [[5, 5, 3], [5, 5, 3], [5, 5, 3]],
        [[2, 2, 3], [20, 2, -3], [2, 20, 3]],  # partly behind the camera
        [[2, 2, 0], [20, 2, 0], [2, 20, 0]],
        [[5.6, 5.6, 3], [5.9, 5.6, 3], [5.6, 5.9, 3]],  # between two centres
    ],
)
def test_what_is_not_seen_is_not_drawn(points):
    buffer = drawn(points)
    assert (buffer.triangle == -1).all() and (buffer.depth == FAR).all()


def test_no_faces_draw_nothing():
    buffer = drawn(np.zeros((0, 3)), np.zeros((0, 3)))
    assert (buffer.triangle == -1).all()


def test_a_triangle_larger_than_the_picture_fills_it():
    assert (drawn([[-500, -500, 2], [900, -500, 2], [-500, 900, 2]]).triangle == 0).all()
