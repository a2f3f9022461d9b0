"""Regions of the face on the standard body: lids, lips, brows, beard, lines of age.

They are found from the geometry: the seams that open the mouth and the eyes, the directions of the surface.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .body import Body
from .curves import smoothstep
from .standard import blob, seams


def _curve(points: np.ndarray) -> np.ndarray:
    """A closed line through points that lie round their mean, made dense: (M, 3)."""
    middle = points.mean(0)
    order = np.argsort(np.arctan2(points[:, 1] - middle[1], points[:, 0] - middle[0]))
    ring = points[np.append(order, order[0])]
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    return np.concatenate([a + (b - a) * t for a, b in zip(ring[:-1], ring[1:], strict=True)])


#: Lines of the ageing face as (depth, points (x, y) of the standard face's half)
_WRINKLES = (
    (0.7, ((0.0, 7.625), (0.15, 7.635), (0.30, 7.62), (0.42, 7.59))),
    (0.8, ((0.0, 7.705), (0.17, 7.72), (0.32, 7.70), (0.44, 7.66))),
    (0.6, ((0.0, 7.79), (0.16, 7.805), (0.30, 7.78))),
    (0.7, ((0.035, 7.44), (0.045, 7.49), (0.04, 7.54))),
    (1.0, ((0.155, 6.99), (0.21, 6.88), (0.255, 6.77), (0.265, 6.70))),
    (0.7, ((0.245, 6.66), (0.262, 6.58), (0.262, 6.50))),
    (0.9, ((0.20, 7.285), (0.27, 7.25), (0.36, 7.255), (0.42, 7.29))),
    (0.5, ((0.24, 7.22), (0.32, 7.195), (0.41, 7.215))),
    (0.7, ((0.455, 7.365), (0.52, 7.40), (0.57, 7.42))),
    (0.7, ((0.455, 7.35), (0.53, 7.355), (0.58, 7.35))),
    (0.6, ((0.45, 7.335), (0.51, 7.31), (0.56, 7.28))),
)


def _wrinkles(p: np.ndarray) -> np.ndarray:
    """Depth (N,) 0..1 of the lines that age draws, at points (N, 3) of the face."""
    depth = np.zeros(len(p))
    flat = np.stack([np.abs(p[:, 0]), p[:, 1]], 1)
    for strength, points in _WRINKLES:
        line = np.array(points)
        t = np.linspace(0, len(line) - 1, 24)
        dense = np.stack([np.interp(t, np.arange(len(line)), line[:, c]) for c in range(2)], 1)
        distance, k = cKDTree(dense).query(flat, workers=1)
        fade = np.sin(np.pi * (0.15 + 0.7 * k / 23))
        depth = np.maximum(depth, strength * fade * np.exp(-((distance / 0.016) ** 2)))
    return depth * (p[:, 2] > 0.75)


def face_masks(body: Body, vertices: np.ndarray, p: np.ndarray, n: np.ndarray, inner: dict[str, np.ndarray]) -> dict:
    """Masks of the face on texels at ``p``; ``inner`` tells which texels lie inside the mouth and the eye sockets."""
    found = seams(body)
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    front = (z > 1.0) & (y > 6.2) & (y < 7.8)

    def distance(line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d, k = cKDTree(line).query(p, distance_upper_bound=0.3, workers=1)
        far = ~np.isfinite(d)
        return np.where(far, 9.0, d), np.where(far[:, None], 0.0, line[np.where(far, 0, k)])

    mouth, _ = distance(_curve(vertices[found["mouth"]]))
    rims = np.concatenate([_curve(vertices[found["eye.L"]]), _curve(vertices[found["eye.R"]])])
    rim, at = distance(rims)
    opening = vertices[found["eye.L"]]
    middle_y = np.interp(np.abs(at[:, 0]), [opening[:, 0].min(), opening[:, 0].max()], [7.325, 7.345])
    upper = smoothstep(-0.012, 0.015, at[:, 1] - middle_y)
    outer = smoothstep(0.24, 0.40, x)
    inside_eye = inner["eye"]
    width = 0.014 + 0.012 * outer
    lash = np.exp(-((rim / width) ** 2)) * (0.30 + 0.65 * upper) * (0.55 + 0.45 * outer)
    lash = np.where(inside_eye, np.maximum(lash, 0.75 * upper * np.exp(-((rim / 0.03) ** 2))), lash)
    wing = np.exp(-((np.hypot((x - 0.425) / 0.05, (y - 7.352 - (x - 0.42) * 0.15) / 0.013)) ** 2)) * front * 0.55
    lash = np.maximum(lash, wing)
    lid = np.exp(-(((rim - 0.035) / 0.045) ** 2)) * (y > 7.33) * front * ~inside_eye
    crease = np.exp(-((rim - 0.062) ** 2) / 0.014**2) * upper * (y > 7.36) * front * ~inside_eye

    upper_edge = np.interp(
        x, [0, 0.025, 0.06, 0.10, 0.15, 0.20, 0.235], [6.768, 6.777, 6.784, 6.768, 6.738, 6.703, 6.683]
    )
    lower_edge = np.interp(x, [0, 0.05, 0.10, 0.15, 0.20, 0.235], [6.548, 6.551, 6.566, 6.604, 6.655, 6.678])
    edge = np.minimum(upper_edge - y, y - lower_edge)
    lips = smoothstep(-0.006, 0.014, edge) * (x < 0.235) * (z > 1.2) * front
    lips = np.where(inner["mouth"] & front, 1.0, lips) * (z > 1.22)
    line = np.exp(-((mouth / 0.012) ** 2)) * 0.75 + np.exp(-((mouth / 0.03) ** 2)) * 0.25
    line = np.where(inner["mouth"], np.maximum(line, smoothstep(0.015, 0.05, mouth)), line)

    brow_x = [0.085, 0.15, 0.23, 0.31, 0.39, 0.49]
    brow_y = [7.463, 7.479, 7.498, 7.512, 7.504, 7.462]
    along = (x - brow_x[0]) / (brow_x[-1] - brow_x[0])
    across = y - np.interp(x, brow_x, brow_y)
    brow = front & (z > 0.95) & (along > -0.05) & (along < 1.05) & (np.abs(across) < 0.09)

    ears = smoothstep(0.70, 0.78, x) * blob(p, (0.8, 7.12, 0.45), (0.3, 0.34, 0.26))
    red = 0.75 * blob(p, (0.42, 6.98, 1.18), (0.27, 0.21, 0.35)) + 0.75 * blob(p, (0, 7.0, 1.6), (0.13, 0.12, 0.2))
    red += 0.7 * ears + 0.3 * blob(p, (0, 6.42, 1.4), (0.2, 0.14, 0.25)) + 0.35 * lid
    red += 0.15 * blob(p, (0.1, 7.7, 1.35), (0.4, 0.2, 0.3))
    socket = blob(p, (0.29, 7.34, 1.28), (0.19, 0.12, 0.25)) + 0.5 * blob(p, (0.15, 7.33, 1.3), (0.06, 0.08, 0.2))
    nostril = blob(p, (0.072, 6.928, 1.45), (0.038, 0.03, 0.07)) * smoothstep(-0.1, -0.5, n[:, 1])
    wing_fold = blob(p, (0.165, 6.96, 1.33), (0.022, 0.07, 0.08))
    jaw = smoothstep(6.98, 6.72, y - 0.28 * smoothstep(0.45, 0.75, x)) * smoothstep(6.15, 6.33, y)
    jaw *= smoothstep(0.55, 0.72, z + 0.15 * smoothstep(6.9, 7.2, y))
    moustache = blob(p, (0.09, 6.845, 1.45), (0.16, 0.055, 0.2)) * 1.1
    chin = blob(p, (0.0, 6.42, 1.4), (0.26, 0.17, 0.3))
    bare = 1 - np.clip(lips * 1.2, 0, 1)
    beard = np.clip(jaw * (0.55 + 0.6 * chin) * smoothstep(6.95, 6.75, y + 0.35 * (0.42 - x)) + moustache, 0, 1)
    sideburn = smoothstep(0.60, 0.70, x) * smoothstep(7.15, 6.95, y) * smoothstep(0.58, 0.66, z) * (y > 6.5)
    beard = np.clip(beard + 0.6 * sideburn, 0, 1) * bare * (y > 6.0)
    return {
        "lash": lash, "lid": np.clip(lid + 0.5 * crease, 0, 1), "crease": crease, "lips": lips, "line": line,
        "upper_lip": smoothstep(6.672, 6.69, y), "brow": brow, "along": along, "across": across, "red": red,
        "wrinkles": _wrinkles(p) * ~inside_eye * ~inner["mouth"], "socket": socket, "nostril": nostril,
        "fold": wing_fold, "beard": beard, "ears": ears,
    }  # fmt: skip
