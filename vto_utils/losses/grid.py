"""Regularisers of a thin-plate spline: its grid stays even, its control points stay on smooth curves."""

from __future__ import annotations

from torch import Tensor

from .averages import check_image, precise


def grid_spacing_loss(grid: Tensor) -> Tensor:
    """Neighbouring spacings of a grid should be alike.

    With x and y the coordinates at column j and row i:

        mean | |x(j + 1) - x(j)| - |x(j) - x(j - 1)| |  +  mean | |y(i + 1) - y(i)| - |y(i) - y(i - 1)| |

    CP-VTON+ (Minar et al., CVPR Workshops 2020). It divides by all pixels, here only those with two neighbours
    count, which at 256x192 is 1 % apart. Any grid that is affine costs nothing.

    Weight: 40 on the sampling grid at 256x192, beside an L1 of 1 (CP-VTON+). The value shrinks with the square of
    the spacing: on 5x5 control points it is thousands of times larger, so weigh it that much less.

    Args:
        grid: [B, 2, H, W] normalised (x, y): a flow, or control points as :func:`as_grid` lays them out; H and
            W at least 3.

    Raises:
        ValueError: wrong shape.
    """
    grid = _checked(grid)
    across = grid[:, 0].diff(dim=-1).abs().diff(dim=-1).abs()  # (B, H, W - 2)
    down = grid[:, 1].diff(dim=-2).abs().diff(dim=-2).abs()  # (B, H - 2, W)
    return across.mean() + down.mean()


def bending_loss(theta: Tensor, control_points: tuple[int, int] = (5, 5)) -> Tensor:
    """Squared second differences of control points, along rows and along columns.

        mean |p(j - 1) - 2 p(j) + p(j + 1)|^2  +  mean |p(i - 1) - 2 p(i) + p(i + 1)|^2

    Even spacing and equal slopes in one smooth term, where ACGPN (Yang et al., CVPR 2020) has separate ones for
    distances and for slopes, which are undefined for vertical lines. Any affine map costs nothing.

    Weight: 0.01 (LaDI-VTON's for ACGPN's terms on the same 5x5 points, beside an L1 of 1), to be tuned: the
    terms are not the same.

    Args:
        theta: [B, rows * columns, 2] (x, y) of the control points, row by row, as GMMOutput.theta.
        control_points: (rows, columns), 3 or more each.

    Raises:
        ValueError: wrong shapes.
    """
    grid = _checked(as_grid(theta, control_points))
    along_rows = grid.diff(n=2, dim=-1).square().sum(1)
    along_columns = grid.diff(n=2, dim=-2).square().sum(1)
    return along_rows.mean() + along_columns.mean()


def as_grid(theta: Tensor, control_points: tuple[int, int] = (5, 5)) -> Tensor:
    """Control points [B, rows * columns, 2], row by row, as a grid [B, 2, rows, columns].

    Raises:
        ValueError: their number is another.
    """
    rows, columns = control_points
    if theta.ndim != 3 or list(theta.shape[1:]) != [rows * columns, 2]:
        raise ValueError(f"theta must be [B, {rows * columns}, 2], got {list(theta.shape)}.")
    return theta.transpose(1, 2).unflatten(2, (rows, columns))


def _checked(grid: Tensor) -> Tensor:
    check_image(grid, "grid", 2)
    if min(grid.shape[-2:]) < 3:
        raise ValueError(f"A grid needs at least 3 rows and 3 columns, got {list(grid.shape)}.")
    return precise(grid)
