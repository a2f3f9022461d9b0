from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vto_utils import tps
from vto_utils.tps import control_grid, pixel_centres, tps_grid, tps_parameters, tps_transform


@pytest.fixture
def points():
    """Two samples of eight scattered control points and where they go."""
    generator = torch.Generator().manual_seed(0)
    source = torch.rand(2, 8, 2, generator=generator) * 2 - 1
    return source, source + 0.2 * torch.randn(2, 8, 2, generator=generator)


def slow_spline(source, target, points):
    """The textbook formula in float64, one loop per index. One sample, numpy."""
    n = len(source)
    system = np.zeros((n + 3, n + 3))
    for i in range(n):
        for j in range(n):
            r2 = float(((source[i] - source[j]) ** 2).sum())
            system[i, j] = 0 if i == j else r2 * np.log(r2)
        system[i, n:] = system[n:, i] = [1, *source[i]]
    solution = np.linalg.solve(system, np.vstack([target, np.zeros((3, 2))]))
    result = np.zeros((len(points), 2))
    for k, p in enumerate(points):
        result[k] = solution[n] + p[0] * solution[n + 1] + p[1] * solution[n + 2]
        for j in range(n):
            r2 = float(((p - source[j]) ** 2).sum())
            result[k] += 0 if r2 == 0 else solution[j] * r2 * np.log(r2)
    return result


def test_control_grid_is_row_major_and_spans_the_image():
    grid = control_grid(3, 4)
    assert grid.shape == (1, 12, 2)
    assert grid[0, 0].tolist() == [-1, -1]
    assert grid[0, 3].tolist() == [1, -1]
    assert grid[0, -1].tolist() == [1, 1]


def test_pixel_centres_sample_an_image_unchanged():
    image = torch.rand(1, 3, 9, 7)
    sampled = F.grid_sample(image, pixel_centres((9, 7)), align_corners=False)
    torch.testing.assert_close(sampled, image)


def test_equal_points_are_the_identity():
    grid = control_grid(5, 5)
    torch.testing.assert_close(tps_grid(grid, grid, (32, 24)), pixel_centres((32, 24)), atol=2e-6, rtol=0)


def test_affine_map_needs_no_kernels(points):
    source, _ = points
    matrix = torch.tensor([[0.3, -0.2], [1.1, 0.4], [-0.5, 0.9]])  # rows: constant, x, y
    target = matrix[0] + source @ matrix[1:]
    weights, affine = tps_parameters(source, target)
    torch.testing.assert_close(weights, torch.zeros_like(weights), atol=1e-5, rtol=0)
    torch.testing.assert_close(affine, matrix.expand(2, 3, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("unit", "tolerance"), [(1.0, 2e-5), (1000.0, 2e-2)])
def test_control_points_arrive_exactly(points, unit, tolerance):
    source, target = (p * unit + 0.5 * unit for p in points)
    weights, affine = tps_parameters(source, target)
    reached = tps_transform(source, source, weights, affine)
    torch.testing.assert_close(reached, target, atol=tolerance, rtol=0)


def test_weights_meet_the_side_conditions(points):
    source, target = (p.double() for p in points)
    weights, _ = tps_parameters(source, target)
    moments = torch.cat([torch.ones_like(source[..., :1]), source], -1).transpose(1, 2) @ weights
    torch.testing.assert_close(moments, torch.zeros_like(moments), atol=1e-10, rtol=0)


@pytest.mark.parametrize("unit", [1.0, 300.0])
def test_matches_the_textbook_formula(points, unit):
    source, target = (p.double() * unit for p in points)
    query = torch.rand(2, 20, 2, dtype=torch.float64) * 2 * unit - unit
    query[:, 0] = source[:, 0]
    ours = tps_transform(query, source, *tps_parameters(source, target))
    for b in range(2):
        slow = slow_spline(source[b].numpy(), target[b].numpy(), query[b].numpy())
        np.testing.assert_allclose(ours[b].numpy(), slow, atol=1e-9 * unit)


def test_grid_moves_source_to_target():
    # A bright pixel at `source` must appear at `target`: pixel centres make both exact.
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 4, 6] = 1
    centres = pixel_centres((16, 16))[0]
    corners = control_grid(2, 2)
    source = torch.cat([corners, centres[None, 4, 6:7]], dim=1)
    target = torch.cat([corners, centres[None, 9, 11:12]], dim=1)
    moved = F.grid_sample(image, tps_grid(source, target, (16, 16)), align_corners=False)[0, 0]
    assert divmod(int(moved.argmax()), 16) == (9, 11)
    assert moved[9, 11] == pytest.approx(1, abs=1e-4)


def test_samples_of_a_batch_do_not_mix(points):
    source, target = points
    together = tps_grid(source, target, (6, 5))
    alone = torch.cat([tps_grid(source[i : i + 1], target[i : i + 1], (6, 5)) for i in range(2)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_batch_of_one_serves_all(points):
    _, target = points
    grid = control_grid(2, 4)
    shared = tps_parameters(grid, target)
    repeated = tps_parameters(grid.expand(2, -1, -1), target)
    torch.testing.assert_close(shared, repeated)
    assert tps_grid(target, grid, (4, 3)).shape == (2, 4, 3, 2)


def test_chunks_change_nothing(points, monkeypatch):
    source, target = points
    whole = tps_grid(source, target, (7, 5))
    monkeypatch.setattr(tps, "_CHUNK_ENTRIES", 2 * 8 * 3)  # three points at a time
    torch.testing.assert_close(tps_grid(source, target, (7, 5)), whole, atol=1e-6, rtol=1e-5)


def test_linear_in_the_target(points):
    """Solving once for unit targets gives a matrix that serves any target."""
    source, target = points
    weights, affine = tps_parameters(source, target)
    unit_weights, unit_affine = tps_parameters(source, torch.eye(8)[None])
    torch.testing.assert_close(unit_weights @ target, weights, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(unit_affine @ target, affine, atol=1e-4, rtol=1e-4)


def test_regularization_bends_less_and_ends_affine(points):
    source, target = (p.double() for p in points)
    bending = [tps_parameters(source, target, r)[0].norm().item() for r in (0.0, 0.1, 10.0, 1e6)]
    assert bending == sorted(bending, reverse=True)
    assert bending[-1] < 1e-5
    ones = torch.cat([torch.ones_like(source[..., :1]), source], -1)
    least_squares = torch.linalg.lstsq(ones, target).solution
    torch.testing.assert_close(tps_parameters(source, target, 1e8)[1], least_squares, atol=1e-5, rtol=0)


def test_regularization_accepts_coincident_points(points):
    source, target = points
    source = torch.cat([source, source[:, :1]], dim=1)
    target = torch.cat([target, target[:, :1] + 0.1], dim=1)
    weights, affine = tps_parameters(source, target, regularization=0.01)
    assert torch.isfinite(weights).all() and torch.isfinite(affine).all()


def test_gradients(points):
    source, target = (p[:1, :4].double().requires_grad_() for p in points)

    def warp(source, target):
        return tps_grid(source, target, (3, 2))

    assert torch.autograd.gradcheck(warp, (source, target))

    def at_own_points(source, target):
        return tps_transform(source, source, *tps_parameters(source, target))

    assert torch.autograd.gradcheck(at_own_points, (source, target))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_solved_in_float32(points, dtype):
    source, target = (p.to(dtype) for p in points)
    exact = tps_grid(source.float(), target.float(), (8, 6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        grid = tps_grid(source, target, (8, 6))
    assert grid.dtype == torch.float32
    torch.testing.assert_close(grid, exact)


def test_double_stays_double(points):
    source, target = (p.double() for p in points)
    assert tps_grid(source, target, (4, 4)).dtype == torch.float64


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (torch.rand(8, 2), torch.rand(8, 2), r"source must be \[B, N, 2\]"),
        (torch.rand(1, 8, 3), torch.rand(1, 8, 2), r"source must be \[B, N, 2\]"),
        (torch.rand(1, 8, 2), torch.rand(1, 7, 2), "8 source points but 7 target points"),
        (torch.rand(2, 8, 2), torch.rand(3, 8, 2), "Batch sizes differ"),
        (torch.rand(1, 2, 2), torch.rand(1, 2, 2), "at least 3 control points, got 2"),
        (torch.ones(1, 8, 2).long(), torch.rand(1, 8, 2), "floating point"),
        (torch.full((1, 8, 2), torch.nan), torch.rand(1, 8, 2), "finite"),
        (torch.ones(1, 8, 2), torch.rand(1, 8, 2), "one line"),
        (torch.linspace(0, 300, 8)[None, :, None].expand(1, 8, 2), torch.rand(1, 8, 2), "one line"),
        (torch.tensor([[[0.0, 0], [0, 0], [1, 0], [0, 1]]]), torch.rand(1, 4, 2), "same place"),
    ],
)
def test_errors_say_what_is_wrong(source, target, message):
    with pytest.raises(ValueError, match=message):
        tps_parameters(source, target)


def test_every_line_is_refused_and_thin_shapes_are_not():
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        start, step = torch.rand(1, 1, 2, generator=generator), torch.randn(1, 1, 2, generator=generator)
        line = start + torch.rand(1, 8, 1, generator=generator) * step
        with pytest.raises(ValueError, match="one line"):
            tps_parameters(line, line)
    thin = control_grid(2, 5) * torch.tensor([1.0, 0.01])
    torch.testing.assert_close(tps_transform(thin, thin, *tps_parameters(thin, thin)), thin)


def test_errors_name_the_sample(points):
    source, target = points
    source = source.clone()
    source[1, :, 1] = source[1, :, 0]
    with pytest.raises(ValueError, match="sample 1 lie on one line"):
        tps_parameters(source, target)


def test_other_errors(points):
    source, target = points
    weights, affine = tps_parameters(source, target)
    with pytest.raises(ValueError, match="negative"):
        tps_parameters(source, target, -1.0)
    with pytest.raises(ValueError, match=r"weights must be \[B, 8, D\]"):
        tps_transform(source, source, weights[:, 1:], affine)
    with pytest.raises(ValueError, match=r"affine must be \[B, 3, 2\]"):
        tps_transform(source, source, weights, affine[:, 1:])
    with pytest.raises(ValueError, match="at least 2 rows"):
        control_grid(1, 5)
