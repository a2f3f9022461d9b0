"""Sheets and cards: the surfaces that strands of hair are shown by, as one mesh."""

from __future__ import annotations

import numpy as np

from .curves import smoothstep
from .hair_texture import CELLS, MARGIN
from .scalp import Head, unit

Array = np.ndarray


class HairBuilder:
    """Gathers sheets and cards."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.vertices: list[Array] = []
        self.normals: list[Array] = []
        self.texture: list[Array] = []
        self.faces: list[Array] = []
        self.count = 0

    def _grid(self, points: Array, normals: Array, u: Array, v: Array) -> None:
        """A grid (A, B, 3) as triangles, with texture points (A, B) each."""
        a, b = points.shape[:2]
        index = np.arange(a * b).reshape(a, b) + self.count
        one, two, three, four = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
        triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((one, four, two), (two, four, three))])
        self.vertices.append(points.reshape(-1, 3))
        self.normals.append(normals.reshape(-1, 3))
        self.texture.append(np.stack(np.broadcast_arrays(u, v), -1).reshape(-1, 2))
        self.faces.append(triangles)
        self.count += a * b

    def outward(self, points: Array) -> Array:
        """Smooth shading directions: away from the body, near the head away from its middle."""
        flat = points.reshape(-1, 3)
        _, normal = self.head.distance(flat)
        ray = unit(flat - np.array([0, 7.4, 0.4]))
        share = smoothstep(6.2, 7.2, flat[:, 1])[:, None] * 0.8
        mixed = unit(normal * (1 - share) + ray * share)
        return mixed.reshape(points.shape)

    def sheet(self, strands: Array, u: tuple[float, float] = (0.0, 1.0), tilt: float = 0.22) -> None:
        """Neighbouring strands (G, K, 3) as one surface, out of the texture's upper half; ``tilt`` turns the shading of
        single strands to the side."""
        g, k = strands.shape[:2]
        normals = self.outward(strands)
        across = np.gradient(strands, axis=0)
        along = np.gradient(strands, axis=1)
        own = unit(np.cross(along, across))
        own = np.where((own * normals).sum(-1, keepdims=True) < 0, -own, own)
        lean = np.random.default_rng(g * 100 + k).normal(0, tilt, g)
        lean[-1] = lean[0]
        normals = unit(0.55 * normals + 0.45 * own + unit(across) * lean[:, None, None])
        uu = np.linspace(u[0], u[1], g)[:, None]
        run = np.cumsum(np.linalg.norm(np.diff(strands, axis=1), axis=2), axis=1)
        vv = 0.995 - 0.49 * np.concatenate([np.zeros((g, 1)), run], 1) / np.maximum(run[:, -1:], 1e-6)
        self._grid(strands, normals, uu, vv)

    def cards(self, strands: Array, width: Array, cells: Array, curve: float = 0.35, v: tuple = (0.495, 0.005)) -> None:
        """Ribbons along strands (G, K, 3), three points wide, their middle raised by ``curve`` half widths."""
        normals = self.outward(strands)
        along = unit(np.gradient(strands, axis=1))
        side = unit(np.cross(along, normals))
        up = unit(np.cross(side, along))
        half = width[..., None] / 2
        count, steps = strands.shape[:2]
        grid = np.stack([strands - side * half, strands + up * half * curve, strands + side * half], 1)
        normal = unit(np.stack([normals - 0.45 * side, normals, normals + 0.45 * side], 1))
        pad = MARGIN / CELLS * 0.5
        u = np.stack([cells / CELLS + pad, (cells + 0.5) / CELLS, (cells + 1) / CELLS - pad], 1)[:, :, None]
        vv = np.broadcast_to(np.linspace(v[0], v[1], steps), (count, 3, steps))
        index = np.arange(count * 3 * steps).reshape(count, 3, steps) + self.count
        one, two, three, four = index[:, :-1, :-1], index[:, 1:, :-1], index[:, 1:, 1:], index[:, :-1, 1:]
        triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((one, four, two), (two, four, three))])
        self.vertices.append(grid.reshape(-1, 3))
        self.normals.append(normal.reshape(-1, 3))
        self.texture.append(np.stack(np.broadcast_arrays(u, vv), -1).reshape(-1, 2))
        self.faces.append(triangles)
        self.count += count * 3 * steps

    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """Vertices (N, 3), normals (N, 3), texture points (N, 2) and triangles (M, 3)."""
        return (
            np.concatenate(self.vertices),
            np.concatenate(self.normals),
            np.concatenate(self.texture),
            np.concatenate(self.faces),
        )


def card_widths(strands: Array, width: Array | float, root: float = 0.7, tip: float = 0.45) -> Array:
    """Widths (G, K) of cards along strands (G, K, 3): narrower at the root and at the tip."""
    t = np.linspace(0, 1, strands.shape[1])
    profile = np.interp(t, [0, 0.25, 0.7, 1], [root, 1, 0.95, tip])
    return np.broadcast_to(np.asarray(width), (len(strands),))[:, None] * profile[None]
