"""A z-buffer in numba: which triangle each pixel sees, exactly, with garment edges cut by signed distance.

Convention:
    Buffers are (H, W); pixel (row, column) has its centre at x = column + 0.5, y = row + 0.5. Points on the screen are
    (N, 3) float32: x, y in pixels and the depth along the view axis, smaller is nearer, all positive. Interpolation is
    perspective-correct. A triangle is known by its number in the buffer's own count, -1 where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

FAR = np.float32(1e9)


@dataclass(frozen=True)
class Buffer:
    """What a rasterised picture sees."""

    depth: np.ndarray  # (H, W) float32, FAR where there is nothing
    triangle: np.ndarray  # (H, W) int32
    weights: np.ndarray  # (H, W, 2) float32, barycentric weights of the first two corners

    @classmethod
    def empty(cls, height: int, width: int) -> Buffer:
        return cls(
            np.full((height, width), FAR, np.float32),
            np.full((height, width), -1, np.int32),
            np.zeros((height, width, 2), np.float32),
        )


@numba.njit(cache=True, fastmath=True)
def _fill(points, faces, edge, corners, alpha, dither, keep, base, depth, triangle, weights):
    height, width = depth.shape
    has_edge, has_alpha = edge.shape[0] > 0, alpha.shape[0] > 0
    for k in range(faces.shape[0]):
        a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
        if has_edge and edge[a] < 0 and edge[b] < 0 and edge[c] < 0:
            continue
        x0, y0, z0 = points[a, 0], points[a, 1], points[a, 2]
        x1, y1, z1 = points[b, 0], points[b, 1], points[b, 2]
        x2, y2, z2 = points[c, 0], points[c, 1], points[c, 2]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9 or area * keep < 0 or min(z0, z1, z2) <= 0.0:
            continue
        left = max(int(np.floor(min(x0, x1, x2) - 0.5)), 0)
        right = min(int(np.ceil(max(x0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.floor(min(y0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.ceil(max(y0, y1, y2) - 0.5)), height - 1)
        inverse = 1.0 / area
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                w0 = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) * inverse
                if w0 < 0:
                    continue
                w1 = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) * inverse
                if w1 < 0:
                    continue
                w2 = 1.0 - w0 - w1
                if w2 < 0:
                    continue
                i0, i1, i2 = w0 / z0, w1 / z1, w2 / z2
                z = 1.0 / (i0 + i1 + i2)
                if z >= depth[row, column]:
                    continue
                b0, b1 = i0 * z, i1 * z
                b2 = 1.0 - b0 - b1
                if has_edge and edge[a] * b0 + edge[b] * b1 + edge[c] * b2 < 0:
                    continue
                if has_alpha:
                    u = corners[k, 0, 0] * b0 + corners[k, 1, 0] * b1 + corners[k, 2, 0] * b2
                    v = corners[k, 0, 1] * b0 + corners[k, 1, 1] * b1 + corners[k, 2, 1] * b2
                    i = min(max(int(v * alpha.shape[0]), 0), alpha.shape[0] - 1)
                    j = min(max(int(u * alpha.shape[1]), 0), alpha.shape[1] - 1)
                    noise = (column * 374761393 + row * 668265263 + k * 97) & 1023
                    if alpha[i, j] < 0.5 + dither * (noise / 1023.0 - 0.5):
                        continue
                depth[row, column] = z
                triangle[row, column] = k + base
                weights[row, column, 0] = b0
                weights[row, column, 1] = b1


def fill(
    buffer: Buffer,
    points: np.ndarray,
    faces: np.ndarray,
    base: int = 0,
    *,
    edge: np.ndarray | None = None,
    corners: np.ndarray | None = None,
    alpha: np.ndarray | None = None,
    dither: float = 0.0,
    keep: int = 0,
) -> None:
    """Draw triangles into ``buffer``, the nearest winning.

    Args:
        buffer: changed in place.
        points: (N, 3) float32 on the screen.
        faces: (F, 3) int32.
        base: number of the first of these triangles in the buffer's count.
        edge: (N,) float32 signed distance to the garment's edge; what is negative, interpolated, is cut away.
        corners: (F, 3, 2) float32 texture coordinates in [0, 1], v down; for ``alpha``.
        alpha: (h, w) float32; what is below a half is cut away.
        dither: width of the band round a half in which the cut is by chance (fixed for a pixel), for soft hair.
        keep: +1 or -1 draws only triangles with that sign of the area on the screen; 0 all.
    """
    if edge is None:
        edge = np.zeros(0, np.float32)
    if alpha is None or corners is None:
        corners, alpha = np.zeros((0, 3, 2), np.float32), np.zeros((0, 0), np.float32)
    points = np.ascontiguousarray(points, np.float32)
    _fill(points, faces, edge, corners, alpha, dither, keep, base, buffer.depth, buffer.triangle, buffer.weights)


@numba.njit(cache=True, fastmath=True)
def _interpolate(triangle, weights, faces, values, base, out):
    height, width = triangle.shape
    for row in range(height):
        for column in range(width):
            k = triangle[row, column] - base
            if k < 0 or k >= faces.shape[0]:
                continue
            b0, b1 = weights[row, column, 0], weights[row, column, 1]
            b2 = 1 - b0 - b1
            for c in range(values.shape[1]):
                out[row, column, c] = (
                    b0 * values[faces[k, 0], c] + b1 * values[faces[k, 1], c] + b2 * values[faces[k, 2], c]
                )


def interpolate(buffer: Buffer, faces: np.ndarray, values: np.ndarray, base: int = 0) -> np.ndarray:
    """Vertex values on the pixels: (H, W, C) float32 for values (N, C); 0 where these faces are not seen."""
    out = np.zeros((*buffer.depth.shape, values.shape[1]), np.float32)
    _interpolate(buffer.triangle, buffer.weights, faces, np.ascontiguousarray(values, np.float32), base, out)
    return out
