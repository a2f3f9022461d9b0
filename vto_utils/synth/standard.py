"""The standard body, on which every place of the skin is found, and the means to say where it is.

Convention:
    Decimetres in the rest pose of the standard body.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import scipy.sparse as sp

from .body import Body, Shape
from .mesh import edges

#: The body on which all regions are found; coordinates of places are dm on it.
STANDARD = Shape(gender=0.5)
HEAD_CENTRE = np.array([0.0, 7.45, 0.45])


@nb.njit(cache=True, fastmath=True)
def _noise(points, frequency, lattice):
    """Smooth noise in [-1, 1] at points (N, 3): values on a periodic cube, blended."""
    n = len(points)
    side = lattice.shape[0]
    out = np.empty(n, np.float32)
    for i in range(n):
        x, y, z = points[i, 0] * frequency, points[i, 1] * frequency, points[i, 2] * frequency
        ix, iy, iz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
        fx, fy, fz = x - ix, y - iy, z - iz
        fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
        total = 0.0
        for c in range(8):
            dx, dy, dz = c & 1, (c >> 1) & 1, c >> 2
            w = (fx if dx else 1 - fx) * (fy if dy else 1 - fy) * (fz if dz else 1 - fz)
            total += w * lattice[(ix + dx) % side, (iy + dy) % side, (iz + dz) % side]
        out[i] = total
    return out


def noise(points: np.ndarray, wavelength: float, seed: int) -> np.ndarray:
    """Smooth noise (N,) in about [-1, 1] at points (N, 3), the same for the same seed."""
    lattice = np.random.default_rng([seed, 77]).uniform(-1, 1, (32, 32, 32)).astype(np.float32)
    return _noise(np.ascontiguousarray(points, np.float32), np.float32(1 / wavelength), lattice)


def hairline(points: np.ndarray) -> np.ndarray:
    """Signed distance in dm from the hairline, positive on the scalp: (N,) for points (N, 3) of the standard head."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    angle = np.degrees(np.arctan2(x, z - HEAD_CENTRE[2]))
    degrees = [0, 14, 26, 36, 46, 55, 63, 68.5, 72, 77, 80, 86, 100, 108, 114, 128, 150, 180]
    level = [
        7.985, 7.985, 7.97, 7.93, 7.83, 7.68, 7.50, 7.32, 7.17, 7.13, 7.28, 7.43, 7.40, 7.24, 7.06, 6.86, 6.74, 6.70,
    ]  # fmt: skip
    at = np.interp(angle, degrees, level)
    rise = (np.interp(angle + 2, degrees, level) - np.interp(angle - 2, degrees, level)) / (np.radians(4) * 0.8)
    return (y - at) / np.sqrt(1 + rise**2)


def islands(body: Body) -> np.ndarray:
    """(T,) label of every texture point: pieces of the layout."""
    pairs = edges(body.texture_faces)
    count = len(body.texture)
    graph = sp.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    return sp.csgraph.connected_components(graph, directed=False)[1]


def seams(body: Body) -> dict[str, np.ndarray]:
    """Vertex indices of the lines that open the face: ``mouth``, ``eye.L``, ``eye.R`` (rims of the lids)."""
    vertices = body.vertices(STANDARD)
    label = islands(body)[body.texture_faces[:, 0]]
    members = {int(k): np.unique(body.faces[label == k]) for k in np.unique(label)}
    middle = {k: vertices[ids].mean(0) for k, ids in members.items()}
    spread = {k: np.ptp(vertices[ids], axis=0) for k, ids in members.items()}
    head = max(members, key=lambda k: len(members[k]) * (vertices[members[k], 1].min() > 5.5))
    inner = [k for k in members if k != head and middle[k][1] > 6 and spread[k][0] < 1]
    found = {}
    for k in inner:
        x = middle[k][0]
        name = "mouth" if abs(x) < 0.1 else "eye.L" if x > 0 else "eye.R"
        found[name] = np.intersect1d(members[head], members[k])
        found[f"{name} inside"] = members[k]
    return found


def blob(p: np.ndarray, centre: tuple[float, float, float], radius: tuple[float, float, float]) -> np.ndarray:
    """A soft ellipsoid on both sides of the body, 1 in its middle."""
    x, y, z = np.abs(p[:, 0]) - centre[0], p[:, 1] - centre[1], p[:, 2] - centre[2]
    return np.exp(-((x / radius[0]) ** 2) - (y / radius[1]) ** 2 - (z / radius[2]) ** 2)
