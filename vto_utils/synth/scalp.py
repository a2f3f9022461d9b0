"""The standard head that hair is grown on: distances to it, rays on to it, and its scalp.

Convention:
    Decimetres in the rest pose of the standard body.
"""

from __future__ import annotations

from functools import lru_cache

import numba as nb
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from .body import Body
from .curves import smoothstep
from .mesh import vertex_normals
from .standard import STANDARD, hairline

CENTRE = np.array([0.0, 7.42, 0.42])  # rays from here reach every point of the scalp once

Array = np.ndarray


@nb.njit(cache=True, fastmath=True)
def _look_up(grid, points, low, step, out):
    """Trilinear values of ``grid`` (A, B, C, 4) at ``points`` (N, 3) into ``out`` (N, 4)."""
    a, b, c = grid.shape[0] - 2, grid.shape[1] - 2, grid.shape[2] - 2
    for n in range(len(points)):
        x, y, z = (points[n, 0] - low[0]) / step, (points[n, 1] - low[1]) / step, (points[n, 2] - low[2]) / step
        i, j, k = min(max(int(x), 0), a), min(max(int(y), 0), b), min(max(int(z), 0), c)
        u, v, w = min(max(x - i, 0.0), 1.0), min(max(y - j, 0.0), 1.0), min(max(z - k, 0.0), 1.0)
        for m in range(4):
            one = (grid[i, j, k, m] * (1 - w) + grid[i, j, k + 1, m] * w) * (1 - v)
            one += (grid[i, j + 1, k, m] * (1 - w) + grid[i, j + 1, k + 1, m] * w) * v
            two = (grid[i + 1, j, k, m] * (1 - w) + grid[i + 1, j, k + 1, m] * w) * (1 - v)
            two += (grid[i + 1, j + 1, k, m] * (1 - w) + grid[i + 1, j + 1, k + 1, m] * w) * v
            out[n, m] = one * (1 - u) + two * u


class Head:
    """Distances, rays and anchors on the standard body, found once per process."""

    STEP = 0.1
    LOW = np.array([-2.7, 1.2, -1.7])
    HIGH = np.array([2.7, 9.1, 2.5])

    def __init__(self, body: Body) -> None:
        nodes = body.nodes(STANDARD)
        self.vertices = nodes[: body.count].astype(np.float64)
        normals = vertex_normals(self.vertices, body.faces).astype(np.float64)
        skin = np.unique(body.faces)
        p = self.vertices[skin]
        arm = np.isin(
            body.weight_bones[skin, 0],
            [k for name, k in body.bone.items() if name.startswith(("lowerarm", "wrist", "finger", "upperarm02"))],
        )
        inside = (np.abs(p[:, 0]) < 0.45) & (p[:, 2] < 1.28) & (p[:, 2] > 0.6) & (p[:, 1] < 7.5) & (p[:, 1] > 6.32)
        ear = (np.abs(p[:, 0]) > 0.70) & (p[:, 1] > 6.80) & (p[:, 1] < 7.50) & (p[:, 2] > 0.15) & (p[:, 2] < 0.68)
        upper = (p[:, 1] > 1.0) & ~arm & ~inside & ~ear
        self.skin = skin[upper]
        axes = [np.arange(low, high, self.STEP) for low, high in zip(self.LOW, self.HIGH, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        tree = cKDTree(self.vertices[self.skin])
        reach, k = tree.query(grid.reshape(-1, 3), k=6, workers=1)
        nearest = self.skin[k]
        away = grid.reshape(-1, 1, 3) - self.vertices[nearest]
        # beside the surface the distance along the normal, far away the plain one; several neighbours tell the side
        side = np.einsum("nkc,nkc->nk", away, normals[nearest])
        weight = 1 / (reach + 0.05) ** 2
        within = (side * weight).sum(1) < 0
        flat = side[:, 0]
        plain = reach[:, 0] * np.where(within, -1, 1)
        flat = np.where((flat < 0) == within, flat, plain)
        near = smoothstep(0.5, 0.15, np.abs(plain))
        field = (flat * near + plain * (1 - near)).reshape(grid.shape[:3])
        slope = np.gradient(field, self.STEP)
        self.field = np.ascontiguousarray(np.stack([field, *slope], -1), np.float32)

        head = skin[(p[:, 1] > 6.35) & ~inside & ~ear]
        ray = self.vertices[head] - CENTRE
        self._radius = np.linalg.norm(ray, axis=1)
        self._rays = cKDTree(ray / self._radius[:, None])
        chosen = np.random.default_rng(3).permutation(self.skin)
        self.anchors = self._spread(chosen, 0.42)
        rays = unit(np.random.default_rng(4).standard_normal((9000, 3)) + np.array([0, 0.35, -0.1]))
        points = self.surface(rays)
        inside = hairline(points)
        self.scalp = points[inside > 0.02]  # random points of the scalp

    def _spread(self, candidates: Array, apart: float) -> Array:
        tree = cKDTree(self.vertices[candidates])
        taken = np.zeros(len(candidates), bool)
        keep = []
        for k, point in enumerate(self.vertices[candidates]):
            if not taken[k]:
                keep.append(candidates[k])
                taken[tree.query_ball_point(point, apart)] = True
        return np.array(keep)

    def distance(self, points: Array) -> tuple[Array, Array]:
        """Signed distance (N,) to the body, ears left out, and the direction away from it (N, 3)."""
        values = np.empty((len(points), 4))
        _look_up(self.field, np.ascontiguousarray(points, np.float64), self.LOW, self.STEP, values)
        return values[:, 0], unit(values[:, 1:])

    def surface(self, rays: Array) -> Array:
        """Points of the head, ears left out, in directions (N, 3) from `CENTRE`."""
        rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        d, k = self._rays.query(rays, k=5, workers=1)
        w = 1 / (d + 0.02) ** 2
        radius = (self._radius[k] * w).sum(1) / w.sum(1)
        return CENTRE + rays * radius[:, None]


@lru_cache(maxsize=1)
def standard_head(body: Body) -> Head:
    """The one `Head` of this process."""
    return Head(body)


def unit(x: Array) -> Array:
    """Vectors (..., 3) at length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def _turned(axis: Array, angle: Array, vector: Array) -> Array:
    """``vector`` (3,) turned about unit ``axis`` (3,) by angles (N,): (N, 3)."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return vector * c + np.cross(axis, vector) * s + axis * (axis @ vector) * (1 - c)


@lru_cache(maxsize=8)
def meridians(body: Body, pole: tuple[float, float, float], around: int, along: int) -> tuple[Array, Array]:
    """Scalp as meridians from a pole down to the hairline: points (around + 1, along, 3), the last column is the first
    again; and the length (around + 1,) of the meridians."""
    head = standard_head(body)
    axis = unit(np.array(pole))
    first = unit(np.cross(np.cross(axis, (0.0, -1.0, 0.01)), axis))
    angle = np.linspace(0, 2 * np.pi, around + 1)
    outward = _turned(axis, angle, first)
    reach = np.radians(np.linspace(0, 178, 90))
    ray = axis * np.cos(reach)[None, :, None] + outward[:, None] * np.sin(reach)[None, :, None]
    points = head.surface(ray.reshape(-1, 3))
    inside = hairline(points).reshape(len(angle), -1)
    crossing = np.argmax(inside < 0, axis=1)
    before = np.take_along_axis(inside, np.maximum(crossing - 1, 0)[:, None], 1)[:, 0]
    after = np.take_along_axis(inside, crossing[:, None], 1)[:, 0]
    end = reach[crossing - 1] + (reach[1] - reach[0]) * np.clip(before / (before - after + 1e-9), 0, 1)
    end = gaussian_filter1d(end[:-1], 1.0, mode="wrap")
    end = np.append(end, end[0])
    t = end[:, None] * np.linspace(0, 1, along)[None]
    ray = axis * np.cos(t)[..., None] + outward[:, None] * np.sin(t)[..., None]
    points = head.surface(ray.reshape(-1, 3)).reshape(ray.shape)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    return points, length
