import numpy as np
import pytest

from vto_utils.synth import mesh


def sphere(rings=24, around=32):
    """Unit sphere, faces outwards."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1]
    phi = np.linspace(0, 2 * np.pi, around, endpoint=False)
    grid = np.stack(
        [
            np.outer(np.sin(theta), np.cos(phi)),
            np.outer(np.cos(theta), np.ones(around)),
            np.outer(np.sin(theta), -np.sin(phi)),
        ],
        -1,
    )
    points = np.concatenate([grid.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    faces = []
    for row in range(rings - 2):
        for k in range(around):
            a, b = row * around + k, row * around + (k + 1) % around
            faces += [(a, a + around, b), (b, a + around, b + around)]
    top, bottom, last = len(points) - 2, len(points) - 1, (rings - 2) * around
    faces += [(top, k, (k + 1) % around) for k in range(around)]
    faces += [(bottom, last + (k + 1) % around, last + k) for k in range(around)]
    return points, np.array(faces, np.int32)


def sheet(rows, columns):
    """Row and column, 0 to 1, of a grid's vertices, and its triangles."""
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return u.ravel(), v.ravel(), faces.astype(np.int32)


def signed_areas(points, faces):
    one, two = points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]]
    return (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2


def lengths(points, pairs):
    return np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)


def test_a_spheres_normals_point_away_from_its_middle():
    points, faces = sphere()
    normals = mesh.vertex_normals(points, faces)
    assert normals.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert (normals * points).sum(1).min() > 0.995
    np.testing.assert_allclose(mesh.vertex_normals(points, faces[:, ::-1]), -normals, atol=1e-6)


def test_a_closed_surface_has_three_edges_for_two_faces_and_no_border():
    points, faces = sphere()
    pairs = mesh.edges(faces)
    assert len(pairs) * 2 == len(faces) * 3
    assert len(points) - len(pairs) + len(faces) == 2  # Euler
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(mesh.border(faces)) == 0


def test_the_border_of_a_sheet_is_its_rim():
    u, v, faces = sheet(5, 7)
    rim = (u == 0) | (u == 1) | (v == 0) | (v == 1)
    np.testing.assert_array_equal(mesh.border(faces), np.flatnonzero(rim))


def test_neighbour_mean_is_a_mean_of_neighbours():
    points, faces = sphere()
    matrix = mesh.neighbour_mean(len(points), faces)
    np.testing.assert_allclose(np.asarray(matrix.sum(1)).ravel(), 1, atol=1e-12)
    assert matrix.diagonal().max() == 0
    values = np.random.default_rng(0).random(len(points))
    pairs = mesh.edges(faces)
    for vertex in (0, 40, len(points) - 1):
        beside = np.concatenate([pairs[pairs[:, 0] == vertex, 1], pairs[pairs[:, 1] == vertex, 0]])
        assert (matrix @ values)[vertex] == pytest.approx(values[beside].mean())


def test_a_vertex_without_neighbours_becomes_zero_not_nan():
    assert np.isfinite(mesh.neighbour_mean(4, np.array([[0, 1, 2]])) @ np.ones(4)).all()


def test_subdivision_makes_four_of_one_with_midpoints():
    points, faces = sphere(8, 10)
    matrix, fine = mesh.subdivide(len(points), faces)
    new = matrix @ points
    pairs = mesh.edges(faces)
    assert len(fine) == 4 * len(faces) and fine.dtype == np.int32
    assert len(new) == len(points) + len(pairs)
    np.testing.assert_array_equal(new[: len(points)], points)
    np.testing.assert_allclose(new[len(points) :], (points[pairs[:, 0]] + points[pairs[:, 1]]) / 2, atol=1e-12)
    u, v, flat_faces = sheet(4, 4)
    flat = np.stack([u, v], 1)
    matrix, fine = mesh.subdivide(len(flat), flat_faces)
    areas = signed_areas(matrix @ flat, fine)
    np.testing.assert_allclose(areas, signed_areas(flat, flat_faces)[0] / 4)  # all alike, orientation kept
    assert len(mesh.border(fine)) == 2 * len(mesh.border(flat_faces))


def test_split_cuts_where_the_value_is_zero():
    u, v, faces = sheet(9, 11)
    flat = np.stack([u, v], 1)
    values = np.hypot(u - 0.52, v - 0.47) - 0.312
    matrix, front, back = mesh.split(values, faces)
    new, at = matrix @ flat, matrix @ values
    cut = at[len(u) :]
    assert len(cut) > 10
    # linear interpolation is zero there, but a fiftieth of an edge aside where that would make a needle
    longest = np.hypot(1 / 8, 1 / 10)
    assert np.abs(cut).max() < 0.02 * longest and np.median(np.abs(cut)) < 1e-12
    assert at[front].min() > -0.02 * longest and at[back].max() < 0.02 * longest  # none crosses
    total = signed_areas(flat, faces).sum()
    inside, outside = signed_areas(new, front), signed_areas(new, back)
    np.testing.assert_allclose(inside.sum() + outside.sum(), total, rtol=1e-12)
    assert (np.concatenate([inside, outside]) * np.sign(total)).min() > 0  # old orientation, none lost its area
    # the disc is what is left over: area of the circle, less what straight edges take off it
    assert abs(outside.sum() / total - np.pi * 0.312**2) < 0.02
    # the cut points lie on the old edges, and both sides share them
    assert (np.diff(matrix.tocsr().indptr)[len(u) :] == 2).all()
    assert set(range(len(u), len(new))) == set(np.intersect1d(front, back)) - set(range(len(u)))


def test_split_takes_zero_for_positive():
    faces = np.array([[0, 1, 2]], np.int32)
    matrix, front, back = mesh.split(np.array([0.0, 1.0, 2.0]), faces)
    np.testing.assert_array_equal(front, faces)
    assert len(back) == 0 and matrix.shape == (3, 3)
    _, front, back = mesh.split(np.array([-1.0, -1.0, -2.0]), faces)
    assert len(front) == 0
    np.testing.assert_array_equal(back, faces)


@pytest.mark.parametrize("lone", range(3))
@pytest.mark.parametrize("sign", [1, -1])
def test_split_of_one_triangle(lone, sign):
    points = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    values = np.full(3, -1.0 * sign)
    values[lone] = 2.0 * sign
    matrix, front, back = mesh.split(values, np.array([[0, 1, 2]], np.int32))
    one, two = (front, back) if sign > 0 else (back, front)
    assert (len(one), len(two)) == (1, 2)
    new = matrix @ points
    np.testing.assert_allclose(signed_areas(new, one).sum(), 4.5 * (2 / 3) ** 2)
    np.testing.assert_allclose(signed_areas(new, two).sum(), 4.5 * (1 - (2 / 3) ** 2))


def test_the_largest_piece_and_compact():
    u, v, faces = sheet(4, 5)
    small = np.array([[20, 21, 22], [21, 22, 23]], np.int32)
    together = np.concatenate([small, faces])
    np.testing.assert_array_equal(mesh.largest_piece(24, together), faces)
    used, new = mesh.compact(small)
    np.testing.assert_array_equal(used, [20, 21, 22, 23])
    np.testing.assert_array_equal(new, [[0, 1, 2], [1, 2, 3]])
    np.testing.assert_array_equal(used[new], small)


def cylinder(u, v):
    angle = 2.2 * (u - 0.5)
    flat = np.stack([1.5 * angle, 2 * v], 1)
    return np.stack([1.5 * np.sin(angle), 2 * v, 1.5 * np.cos(angle)], 1), flat


def cone(u, v):
    radius, angle, slope = 1 + 2 * v, 1.8 * (u - 0.5), np.sin(0.5)
    surface = np.stack(
        [radius * slope * np.sin(angle / slope), radius * np.cos(0.5), radius * slope * np.cos(angle / slope)], 1
    )
    return surface, np.stack([radius * np.sin(angle), radius * np.cos(angle)], 1)


@pytest.mark.parametrize("shape", [cylinder, cone])
@pytest.mark.parametrize("mirrored", [False, True])
def test_what_can_be_unrolled_is_laid_flat_without_stretching(shape, mirrored):
    u, v, faces = sheet(16, 20)
    surface, truth = shape(u, v)
    start = truth * [0.8, 1.1] + 0.1 * np.sin(3 * truth[:, ::-1])
    if mirrored:  # seen from its inside
        start = start * [-1, 1]
    flat = mesh.flatten(surface, faces, start, iterations=60)
    pairs = mesh.edges(faces)
    before = lengths(surface, pairs)
    assert np.abs(lengths(start, pairs) / before - 1).max() > 0.1
    np.testing.assert_allclose(lengths(flat, pairs), before, rtol=0.01)
    assert (signed_areas(flat, faces) * signed_areas(start, faces) > 0).all()  # nothing is turned over


def test_pins_stay_and_pulls_move():
    u, v, faces = sheet(12, 12)
    surface, truth = cylinder(u, v)
    pins = np.flatnonzero(u == 0)
    start = truth + 0.05 * np.sin(5 * truth[:, ::-1])
    flat = mesh.flatten(surface, faces, start, pins=pins)
    np.testing.assert_array_equal(flat[pins], start[pins])
    assert np.abs(flat - start).max() > 0.01
    aim = start.copy()
    corner = (u == 1) & (v == 1)
    aim[corner] += 1.0
    distance = []
    for weight in (0.0, 0.5, 50.0):
        pulled = mesh.flatten(surface, faces, aim, pull=np.where(corner | (u == 0), weight, 0.0))
        distance.append(np.linalg.norm((pulled - aim)[corner]))
    assert distance[2] < 0.1 < distance[1] < distance[0]
