"""Thin-plate splines: the smoothest map of the plane that carries given points to given points.

    f(p) = sum_j w_j U(|p - c_j|) + a_0 + a_1 x + a_2 y,        U(r) = r^2 log r^2

with the side conditions sum_j w_j = 0 and sum_j w_j c_j = 0. Among all maps through the points, f bends
least: it minimises the integral of f_xx^2 + 2 f_xy^2 + f_yy^2. Duchon, "Splines minimizing rotation-
invariant semi-norms in Sobolev spaces", 1977; Bookstein, "Principal warps: thin-plate splines and the
decomposition of deformations", IEEE TPAMI 11(6), 1989.

Convention:
    - A point is (x, y): x to the right, y down.
    - Positions are normalised as ``torch.nn.functional.grid_sample(align_corners=False)`` wants them: -1 and
      1 are the outer edges of the border pixels, so pixel i of n has its centre at (2 i + 1) / n - 1.
      Only :func:`tps_grid` and the helpers that make points depend on this; :func:`tps_parameters` and
      :func:`tps_transform` take any coordinates, pixels too.
    - ``tps_parameters(source, target)`` describes the map that sends ``source`` to ``target``.
    - ``tps_grid(source, target, size)`` warps an image so that what is at ``source`` ends up at ``target``.
      An image is warped backwards, every output pixel asking where in the input its colour is, so the
      spline inside runs from ``target`` to ``source``.
    - Everything is computed, and returned, in float32, also for half-precision points and inside autocast
      (r^2 log r^2 loses all its digits in float16). float64 points stay float64.
    - Everything is differentiable, at the control points too.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Entries of the points-by-controls table made at once: bounds the memory of a large grid to some 50 MB.
_CHUNK_ENTRIES = 4_000_000


def control_grid(
    rows: int, columns: int, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Regular control points that span the image, corners included.

    Returns:
        [1, rows * columns, 2], (x, y) from -1 to 1, row by row from the top left.

    Raises:
        ValueError: fewer than two rows or columns.
    """
    if rows < 2 or columns < 2:
        raise ValueError(f"A control grid needs at least 2 rows and 2 columns, not {rows} and {columns}.")
    y = torch.linspace(-1, 1, rows, device=device, dtype=dtype)
    x = torch.linspace(-1, 1, columns, device=device, dtype=dtype)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(1, -1, 2)


def pixel_centres(
    size: tuple[int, int], device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Centres of all pixels of an image: the grid with which ``grid_sample`` returns its input unchanged.

    Args:
        size: (height, width) in pixels.

    Returns:
        [1, H, W, 2], (x, y), normalised for ``align_corners=False``.
    """
    height, width = size
    y = (2 * torch.arange(height, device=device, dtype=dtype) + 1) / height - 1
    x = (2 * torch.arange(width, device=device, dtype=dtype) + 1) / width - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]


def tps_parameters(source: Tensor, target: Tensor, regularization: float = 0.0) -> tuple[Tensor, Tensor]:
    """Solve for the thin-plate spline that sends ``source`` points to ``target`` points.

    Args:
        source: [B, N, 2] control points (x, y), N >= 3, not all on one line, no two in the same place.
        target: [B, N, D] where each of them goes; D = 2 for a map of the plane. A batch of 1 on either
            side serves all. The result is linear in ``target``.
        regularization: ridge added to the kernel's diagonal, >= 0, measured where the points have unit
            spread, so it means the same in any unit. 0 passes exactly through the points; larger values
            bend less and tend to the best affine map.

    Returns:
        weights [B, N, D] of the kernels and affine [B, 3, D], whose rows multiply 1, x and y.

    Raises:
        ValueError: wrong shapes, fewer than three points, points on one line, two points in one place
            (without regularisation), values that are not finite.
    """
    _check_points(source, "source", 2)
    _check_points(target, "target", None)
    if source.shape[1] != target.shape[1]:
        raise ValueError(f"{source.shape[1]} source points but {target.shape[1]} target points: pair them.")
    if regularization < 0:
        raise ValueError(f"regularization must not be negative, got {regularization}.")
    batch, count = _common_batch(source, target), source.shape[1]
    if count < 3:
        raise ValueError(f"A thin-plate spline needs at least 3 control points, got {count}.")

    with torch.autocast(source.device.type, enabled=False):
        source, target = _same_precision(source, target)
        if not (torch.isfinite(source).all() and torch.isfinite(target).all()):
            raise ValueError("Control points must be finite numbers.")
        # Unit spread around the origin keeps the kernel (order r^2) and the affine columns (order r, 1)
        # of one size whatever the unit; the parameters are carried back below.
        centre = source.mean(dim=1, keepdim=True)  # (B, 1, 2)
        scale = (source - centre).square().sum(-1).mean(-1).sqrt()[:, None, None]  # (B, 1, 1)
        scale = scale.clamp_min(torch.finfo(source.dtype).tiny)
        points = (source - centre) / scale  # (B, N, 2)
        _check_position(points, exact=regularization == 0)

        kernel = _kernel(points, points)  # (B, N, N)
        kernel = kernel + regularization * torch.eye(count, dtype=points.dtype, device=points.device)
        ones = torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)  # (B, N, 3)
        zeros = points.new_zeros(points.shape[0], 3, 3)
        top = torch.cat([kernel, ones], dim=2)
        bottom = torch.cat([ones.transpose(1, 2), zeros], dim=2)
        system = torch.cat([top, bottom], dim=1)  # (B, N + 3, N + 3)
        values = torch.cat([target, target.new_zeros(target.shape[0], 3, target.shape[2])], dim=1)
        solution = torch.linalg.solve(system.expand(batch, -1, -1), values.expand(batch, -1, -1))  # (B, N + 3, D)
        weights, affine = solution.split([count, 3], dim=1)

        # With r' = r / s: U(r') = U(r) / s^2 - r^2 log(s^2) / s^2, and the side conditions reduce the sum of
        # w_j r_j^2 to the constant sum of w_j |c_j|^2.
        weights = weights / scale.square()
        linear = affine[:, 1:] / scale  # (B, 2, D)
        squared = (source - centre).square().sum(-1, keepdim=True)  # (B, N, 1)
        unit = scale.square().log() * (weights * squared).sum(dim=1, keepdim=True)  # (B, 1, D)
        constant = affine[:, :1] - centre @ linear - unit
        return weights, torch.cat([constant, linear], dim=1)


def tps_transform(points: Tensor, source: Tensor, weights: Tensor, affine: Tensor) -> Tensor:
    """Apply a thin-plate spline to points.

    Args:
        points: [B, M, 2] positions (x, y) in the coordinates of ``source``.
        source: [B, N, 2] the control points the spline was solved for.
        weights: [B, N, D] from :func:`tps_parameters`.
        affine: [B, 3, D] from :func:`tps_parameters`. A batch of 1 in any argument serves all.

    Returns:
        [B, M, D] where the points go.

    Raises:
        ValueError: shapes that do not fit together.
    """
    _check_points(points, "points", 2)
    _check_points(source, "source", 2)
    if weights.ndim != 3 or weights.shape[1] != source.shape[1]:
        raise ValueError(f"weights must be [B, {source.shape[1]}, D], got {list(weights.shape)}.")
    if affine.ndim != 3 or affine.shape[1] != 3 or affine.shape[2] != weights.shape[2]:
        raise ValueError(f"affine must be [B, 3, {weights.shape[2]}], got {list(affine.shape)}.")
    batch = _common_batch(points, source, weights, affine)

    with torch.autocast(points.device.type, enabled=False):
        points, source, weights, affine = _same_precision(points, source, weights, affine)
        weights, affine = weights.expand(batch, -1, -1), affine.expand(batch, -1, -1)
        step = max(1, _CHUNK_ENTRIES // (max(points.shape[0], source.shape[0]) * source.shape[1]))
        pieces = []
        for piece in points.split(step, dim=1):
            kernel = _kernel(piece, source).expand(batch, -1, -1)  # (B, m, N)
            pieces.append(affine[:, :1] + piece @ affine[:, 1:] + kernel @ weights)  # (B, m, D)
        return torch.cat(pieces, dim=1)


def tps_grid(source: Tensor, target: Tensor, size: tuple[int, int], regularization: float = 0.0) -> Tensor:
    """Sampling grid that moves what an image has at ``source`` to ``target``.

    Example:
        >>> corners = control_grid(2, 2)
        >>> grid = tps_grid(corners, corners * 0.5, (256, 192))  # the image at half its size, in the middle
        >>> small = torch.nn.functional.grid_sample(image, grid, align_corners=False)

    Args:
        source: [B, N, 2] points in the image that is sampled, (x, y) in [-1, 1].
        target: [B, N, 2] where these points are in the result, (x, y) in [-1, 1]. These are the centres of
            the kernels: N >= 3, not on one line, no two in one place.
        size: (height, width) of the result in pixels.
        regularization: as in :func:`tps_parameters`.

    Returns:
        [B, H, W, 2] position in the sampled image for every pixel of the result, for
        ``grid_sample(align_corners=False)``. Values beyond [-1, 1] lie outside the sampled image.

    Raises:
        ValueError: as in :func:`tps_parameters`.
    """
    _check_points(source, "source", 2)
    weights, affine = tps_parameters(target, source, regularization)
    pixels = pixel_centres(size, device=weights.device, dtype=weights.dtype).reshape(1, -1, 2)
    return tps_transform(pixels, target, weights, affine).reshape(-1, *size, 2)


def _kernel(points: Tensor, centres: Tensor) -> Tensor:
    """U(r) = r^2 log r^2 between [B, M, 2] and [B, N, 2] -> [B, M, N]; 0, with gradient 0, at r = 0."""
    # Differences, not |a|^2 + |b|^2 - 2 a b: near a centre that form has no digits left.
    dx = points[:, :, None, 0] - centres[:, None, :, 0]
    dy = points[:, :, None, 1] - centres[:, None, :, 1]
    squared = dx.square() + dy.square()
    # The floor keeps the logarithm, and so the gradient, finite at r = 0.
    return squared * squared.clamp_min(torch.finfo(squared.dtype).tiny).log()


def _same_precision(*tensors: Tensor) -> list[Tensor]:
    dtype = torch.float64 if any(t.dtype == torch.float64 for t in tensors) else torch.float32
    return [t.to(dtype) for t in tensors]


def _common_batch(*tensors: Tensor) -> int:
    sizes = {t.shape[0] for t in tensors} - {1}
    if len(sizes) > 1:
        raise ValueError(f"Batch sizes differ: {sorted(sizes)}.")
    return sizes.pop() if sizes else 1


def _check_points(points: Tensor, name: str, dimensions: int | None) -> None:
    if points.ndim != 3 or (dimensions is not None and points.shape[2] != dimensions):
        raise ValueError(f"{name} must be [B, N, {dimensions or 'D'}], got {list(points.shape)}.")
    if not points.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {points.dtype}.")


def _check_position(points: Tensor, exact: bool) -> None:
    """Refuse control points, [B, N, 2] of unit spread, that leave the spline undetermined."""
    points = points.detach()
    eps = torch.finfo(points.dtype).eps
    # Variances along the principal axes: the eigenvalues of the 2x2 covariance, which sum to 1.
    (xx, xy), (_, yy) = (points.transpose(1, 2) @ points / points.shape[1]).permute(1, 2, 0)
    narrow = (xx + yy - ((xx - yy).square() + 4 * xy.square()).sqrt()) / 2
    flat = narrow < 16 * eps  # the subtraction above is good to some eps
    if flat.any():
        raise ValueError(
            f"The control points of sample {int(flat.nonzero()[0])} lie on one line: "
            "a thin-plate spline needs points that span the plane."
        )
    if exact:
        distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
        distance = distance + torch.eye(points.shape[1], dtype=points.dtype, device=points.device)
        same = distance.flatten(1).amin(1) < eps**0.5  # nearer, their kernels agree to the last digit
        if same.any():
            raise ValueError(
                f"Two control points of sample {int(same.nonzero()[0])} lie in the same place: "
                "remove one, or pass regularization > 0."
            )
