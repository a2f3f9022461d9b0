"""Skin and eyes: albedo painted on the body's own texture layout.

Where what is (lips, lids, brows, ears, knuckles, scalp) is found once per process on one standard body, from its
geometry: the seams that open the mouth and the eyes, the joints, the directions of the surface. A person's skin is then
a few operations on these maps. All colours are sRGB in [0, 1], and albedo: no light is painted in.

Convention:
    Texture arrays have v up: the row of a texture point is ``(1 - v) * size``, its column ``u * size``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba as nb
import numpy as np
import scipy.sparse as sp
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from .body import Body, Shape
from .mesh import edges, vertex_normals
from .people import Identity

#: The body on which all regions are found; coordinates in this module are dm on it.
STANDARD = Shape(gender=0.5)
HEAD_CENTRE = np.array([0.0, 7.45, 0.45])
GUTTER = 8  # texels around the islands that repeat the nearest colour

_TONES = np.array([0.0, 0.16, 0.33, 0.5, 0.67, 0.84, 1.0])
_TONE_COLOURS = np.array(
    [
        (0.920, 0.785, 0.715),
        (0.885, 0.725, 0.640),
        (0.835, 0.650, 0.545),
        (0.735, 0.540, 0.425),
        (0.580, 0.405, 0.310),
        (0.420, 0.285, 0.220),
        (0.285, 0.195, 0.160),
    ]
)
_RED, _DARK, _PALE, _STUBBLE, _HAIRLINE, _RECESS, _LOW, _LOW2, _MIDDLE, _FINE, _STRAND, _HOLE, _SOCKET, _SUN = range(14)
_MAPS = 14


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between; ``low`` may be the larger one."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@nb.njit(cache=True, fastmath=True)
def _rasterise(points, faces, size, index, share):
    """Which triangle covers a texel's centre, and the shares of its corners."""
    for k in range(len(faces)):
        a, b, c = points[faces[k, 0]], points[faces[k, 1]], points[faces[k, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if abs(area) < 1e-9:
            continue
        left = max(int(np.floor(min(a[0], b[0], c[0]))), 0)
        right = min(int(np.ceil(max(a[0], b[0], c[0]))), size - 1)
        top = max(int(np.floor(min(a[1], b[1], c[1]))), 0)
        bottom = min(int(np.ceil(max(a[1], b[1], c[1]))), size - 1)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5, y + 0.5
                u = ((b[0] - px) * (c[1] - py) - (c[0] - px) * (b[1] - py)) / area
                v = ((c[0] - px) * (a[1] - py) - (a[0] - px) * (c[1] - py)) / area
                if u >= -1e-4 and v >= -1e-4 and u + v <= 1.0001:
                    index[y, x] = k
                    share[y, x, 0] = u
                    share[y, x, 1] = v
                    share[y, x, 2] = 1 - u - v


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


@nb.njit(cache=True, fastmath=True)
def _compose(maps, texels, out, base, slope, red, scale, hair, beard, paint):
    """Colour of every covered texel: base tone, moved along the tones and towards red, then beard and scalp on top.

    scale: low, low2, middle, fine, dark, pale, sun, blush amounts. paint: scalp cover, edge, shift of the hairline,
    recess, strand contrast, stubble.
    """
    for i in range(len(texels)):
        m = maps[i]
        low = (m[_LOW] - 128) / 127.0
        low2 = (m[_LOW2] - 128) / 127.0
        middle = (m[_MIDDLE] - 128) / 127.0
        fine = (m[_FINE] - 128) / 127.0
        hole, socket = m[_HOLE] / 255.0, m[_SOCKET] / 255.0
        a = scale[0] * low + scale[2] * 0.5 * middle + scale[3] * fine + scale[4] * m[_DARK] / 255.0
        a += -scale[5] * m[_PALE] / 255.0 + scale[6] * m[_SUN] / 255.0
        b = scale[7] * m[_RED] / 255.0 + scale[1] * low2 + 2.5 * scale[2] * middle + socket * 1.2
        bristle = 0.0
        if m[_STUBBLE] > 0 and paint[5] > 0:
            speckle = 0.85 + 0.9 * fine + 0.10 * middle
            bristle = min(max(m[_STUBBLE] / 255.0 * paint[5] * speckle, 0.0), 0.85)
        cover = 0.0
        tint = 1.0
        if m[_HAIRLINE] > 0:
            strand = (m[_STRAND] - 128) / 127.0
            distance = m[_HAIRLINE] / 255.0 - 0.5 - paint[2] - paint[3] * m[_RECESS] / 255.0
            distance += 0.020 * strand + 0.012 * fine
            t = min(max((distance + 0.3 * paint[1]) / paint[1], 0.0), 1.0)
            cover = t * t * (3 - 2 * t) * paint[0]
            cover = min(max(cover * (1 + paint[4] * (0.6 * strand + 0.5 * fine)), 0.0), 1.0)
            tint = 0.80 + 0.22 * strand + 0.12 * fine
        shade = (1 - 0.86 * hole) * (1 - 0.5 * socket)
        for c in range(3):
            value = (base[c] + a * slope[c] + b * red[c]) * shade
            value += (beard[c] - value) * bristle
            value += (hair[c] * tint - value) * cover
            out[texels[i], c] = min(max(value, 0.015), 0.985)


@dataclass(frozen=True)
class SkinLayout:
    """What lies where on the texture, at one size. N covered texels; a window is a part of them."""

    size: int
    texels: np.ndarray  # (N,) int32, flat index y * size + x
    position: np.ndarray  # (N, 3) float32, dm on the standard body
    maps: np.ndarray  # (N, 14) uint8
    gutter: tuple[np.ndarray, np.ndarray]  # flat indices: to, from
    lips: tuple[np.ndarray, np.ndarray, np.ndarray]  # texels, cover, upper lip 1 / lower lip 0
    lip_line: tuple[np.ndarray, np.ndarray]  # texels, darkness
    brow: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # texels, along 0..1, across dm, sign of x
    lash: tuple[np.ndarray, np.ndarray]  # texels, darkness
    lid: tuple[np.ndarray, np.ndarray]  # texels, cover
    nails: tuple[np.ndarray, np.ndarray]  # texels, cover
    wrinkles: tuple[np.ndarray, np.ndarray]  # texels, depth
    freckled: np.ndarray  # (N,) float32, how much a place freckles


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


def _islands(body: Body) -> np.ndarray:
    """(T,) label of every texture point: pieces of the layout."""
    pairs = edges(body.texture_faces)
    count = len(body.texture)
    graph = sp.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    return sp.csgraph.connected_components(graph, directed=False)[1]


def seams(body: Body) -> dict[str, np.ndarray]:
    """Vertex indices of the lines that open the face: ``mouth``, ``eye.L``, ``eye.R`` (rims of the lids)."""
    vertices = body.vertices(STANDARD)
    label = _islands(body)[body.texture_faces[:, 0]]
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


def _curve(points: np.ndarray) -> np.ndarray:
    """A closed line through points that lie round their mean, made dense: (M, 3)."""
    middle = points.mean(0)
    order = np.argsort(np.arctan2(points[:, 1] - middle[1], points[:, 0] - middle[0]))
    ring = points[np.append(order, order[0])]
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    return np.concatenate([a + (b - a) * t for a, b in zip(ring[:-1], ring[1:], strict=True)])


def _blob(p: np.ndarray, centre: tuple[float, float, float], radius: tuple[float, float, float]) -> np.ndarray:
    """A soft ellipsoid on both sides of the body, 1 in its middle."""
    x, y, z = np.abs(p[:, 0]) - centre[0], p[:, 1] - centre[1], p[:, 2] - centre[2]
    return np.exp(-((x / radius[0]) ** 2) - (y / radius[1]) ** 2 - (z / radius[2]) ** 2)


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


def _hands_and_feet(body: Body, nodes: np.ndarray, p: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, ...]:
    """Knuckles, palms and soles, nails: (N,) each, 0..1."""
    joints = nodes[body.count :]
    knuckles, pale, nails = (np.zeros(len(p), np.float32) for _ in range(3))
    for side, sign in (("L", 1), ("R", -1)):
        joint = {name: joints[body.bone[f"{name}.{side}"]] for name in ("wrist", "finger2-1", "finger3-1", "finger5-1")}
        along = joint["finger3-1"] - joint["wrist"]
        palm = np.cross(joint["finger5-1"] - joint["wrist"], joint["finger2-1"] - joint["wrist"]) * sign
        along, palm = along / np.linalg.norm(along), palm / np.linalg.norm(palm)
        near = (p[:, 0] * sign > 3.4) & ((p - joint["wrist"]) @ along > -0.1)
        facing = n @ palm
        reach = smoothstep(-0.05, 0.35, (p - joint["wrist"]) @ along)
        pale = np.maximum(pale, np.where(near, smoothstep(-0.1, 0.55, facing) * reach, 0))
        for finger in range(1, 6):
            line = [joints[body.bone[f"finger{finger}-{k}.{side}"]] for k in (1, 2, 3)]
            for k, point in enumerate(line):
                distance = np.linalg.norm(p - point, axis=1)
                knuckles = np.maximum(knuckles, np.exp(-((distance / (0.16 - 0.03 * k)) ** 2)) * (facing < 0.2))
            tip = line[2] + (line[2] - line[1]) * 0.55
            direction = (line[2] - line[1]) / np.linalg.norm(line[2] - line[1])
            outward = -palm if finger > 1 else np.cross(direction, np.cross(-palm, direction))
            ahead = (p - tip) @ direction
            aside = np.linalg.norm(p - tip - ahead[:, None] * direction, axis=1)
            nail = smoothstep(0.10, 0.07, np.abs(ahead)) * (n @ outward > 0.55) * (aside < 0.14)
            nails = np.maximum(nails, nail)
        sole = (p[:, 0] * sign > 0) & (p[:, 1] < -7.3)
        pale = np.maximum(pale, np.where(sole, smoothstep(0.2, 0.75, -n[:, 1]), 0))
        toes = (p[:, 0] * sign > 0) & (p[:, 1] < -7.85) & (p[:, 2] > 1.55)
        nails = np.maximum(nails, np.where(toes, smoothstep(0.5, 0.8, n[:, 1]) * smoothstep(1.72, 1.8, p[:, 2]), 0))
    return knuckles, pale, nails


def _limb_joints(body: Body, nodes: np.ndarray, p: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Knees in front and elbows behind: (N,) 0..1."""
    joints = nodes[body.count :]
    knee, elbow = joints[body.bone["lowerleg01.L"]], joints[body.bone["lowerarm01.L"]]
    knees = _blob(p, tuple(knee + (0, 0.02, 0.45)), (0.38, 0.48, 0.5)) * smoothstep(-0.1, 0.5, n[:, 2])
    elbows = _blob(p, tuple(elbow + (0.0, 0.05, -0.3)), (0.35, 0.35, 0.4)) * smoothstep(0.1, -0.5, n[:, 2])
    return np.maximum(knees, elbows)


def _face(body: Body, vertices: np.ndarray, p: np.ndarray, n: np.ndarray, inner: dict[str, np.ndarray]) -> dict:
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

    ears = smoothstep(0.70, 0.78, x) * _blob(p, (0.8, 7.12, 0.45), (0.3, 0.34, 0.26))
    red = 0.75 * _blob(p, (0.42, 6.98, 1.18), (0.27, 0.21, 0.35)) + 0.75 * _blob(p, (0, 7.0, 1.6), (0.13, 0.12, 0.2))
    red += 0.7 * ears + 0.3 * _blob(p, (0, 6.42, 1.4), (0.2, 0.14, 0.25)) + 0.35 * lid
    red += 0.15 * _blob(p, (0.1, 7.7, 1.35), (0.4, 0.2, 0.3))
    socket = _blob(p, (0.29, 7.34, 1.28), (0.19, 0.12, 0.25)) + 0.5 * _blob(p, (0.15, 7.33, 1.3), (0.06, 0.08, 0.2))
    nostril = _blob(p, (0.072, 6.928, 1.45), (0.038, 0.03, 0.07)) * smoothstep(-0.1, -0.5, n[:, 1])
    wing_fold = _blob(p, (0.165, 6.96, 1.33), (0.022, 0.07, 0.08))
    jaw = smoothstep(6.98, 6.72, y - 0.28 * smoothstep(0.45, 0.75, x)) * smoothstep(6.15, 6.33, y)
    jaw *= smoothstep(0.55, 0.72, z + 0.15 * smoothstep(6.9, 7.2, y))
    moustache = _blob(p, (0.09, 6.845, 1.45), (0.16, 0.055, 0.2)) * 1.1
    chin = _blob(p, (0.0, 6.42, 1.4), (0.26, 0.17, 0.3))
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


def _byte(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(x * 255), 0, 255).astype(np.uint8)


def _signed(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(x * 127 + 128), 1, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def skin_layout(body: Body, size: int) -> SkinLayout:
    """Find every region at one texture size; about 1 s at 1024, then remembered."""
    nodes = body.nodes(STANDARD)
    vertices = nodes[: body.count]
    normals = vertex_normals(vertices, body.faces)
    points = np.stack([body.texture[:, 0] * size, (1 - body.texture[:, 1]) * size], 1).astype(np.float32)
    index = np.full((size, size), -1, np.int32)
    share = np.zeros((size, size, 3), np.float32)
    _rasterise(points, body.texture_faces, size, index, share)
    covered = index >= 0
    texels = np.flatnonzero(covered.ravel()).astype(np.int32)
    face, weight = index.ravel()[texels], share.reshape(-1, 3)[texels]
    corners = body.faces[face]
    p = np.einsum("nk,nkc->nc", weight, vertices[corners])
    n = np.einsum("nk,nkc->nc", weight, normals[corners])
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-6)
    label = _islands(body)[body.texture_faces[face, 0]]
    middle = {int(k): p[label == k].mean(0) for k in np.unique(label)}
    spread = {int(k): np.ptp(p[label == k], axis=0) for k in np.unique(label)}
    small = [k for k in middle if middle[k][1] > 6 and spread[k][0] < 1.0]
    inner = {
        "mouth": np.isin(label, [k for k in small if abs(middle[k][0]) < 0.1]),
        "eye": np.isin(label, [k for k in small if abs(middle[k][0]) > 0.1]),
    }
    head, ends = p[:, 1] > 5.9, (np.abs(p[:, 0]) > 3.3) | (p[:, 1] < -7.2)

    def spread_out(part: np.ndarray, values: np.ndarray) -> np.ndarray:
        full = np.zeros(len(p), np.float32)
        full[part] = values
        return full

    face_masks = _face(body, vertices, p[head], n[head], {name: part[head] for name, part in inner.items()})
    mask = {name: spread_out(head, values) for name, values in face_masks.items()}
    knuckles, pale, nails = (spread_out(ends, x) for x in _hands_and_feet(body, nodes, p[ends], n[ends]))
    limb = _limb_joints(body, nodes, p, n)
    distance = hairline(p)
    scalp = (distance > -0.45) & (p[:, 1] > 6.4) & ~inner["eye"] & ~inner["mouth"]
    distance = np.where(mask["ears"] > 0.25, -0.2, distance)
    arm = smoothstep(2.2, 3.2, np.abs(p[:, 0])) * (p[:, 1] > 0)
    sun = np.clip(smoothstep(5.2, 6.2, p[:, 1]) + 0.8 * arm, 0, 1)
    around = np.arctan2(p[:, 0], p[:, 2] - HEAD_CENTRE[2])
    strands = np.stack([around * 9, np.hypot(p[:, 0], p[:, 2] - 0.45) * 1.2, p[:, 1] * 1.3], 1)
    grain = np.random.default_rng(5).standard_normal((size, size)).astype(np.float32)
    soft = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1) + np.roll(grain, (1, 1), (0, 1))) * 0.25

    maps = np.zeros((len(texels), _MAPS), np.uint8)
    maps[:, _RED] = _byte(np.clip(mask["red"] + 0.45 * knuckles + 0.4 * limb + 0.3 * nails + 0.22 * pale, 0, 1))
    dark = 0.55 * mask["socket"] + 0.5 * knuckles + 0.55 * limb + 0.35 * mask["crease"] + 0.4 * mask["fold"]
    maps[:, _DARK] = _byte(np.clip(dark, 0, 1))
    maps[:, _PALE] = _byte(pale)
    maps[:, _STUBBLE] = _byte(mask["beard"] * ~inner["mouth"])
    maps[:, _HAIRLINE] = np.where(scalp, _byte(np.clip(distance + 0.5, 1 / 255, 1)), 0)
    maps[:, _RECESS] = _byte(_blob(p, (0.55, 7.98, 1.05), (0.28, 0.2, 0.3)))
    maps[:, _LOW] = _signed(0.65 * noise(p, 1.1, 1) + 0.5 * noise(p, 0.45, 2))
    maps[:, _LOW2] = _signed(0.65 * noise(p, 0.8, 3) + 0.5 * noise(p, 0.3, 4))
    maps[:, _MIDDLE] = _signed(0.6 * noise(p, 0.12, 5) + 0.5 * noise(p, 0.05, 6))
    maps[:, _FINE] = _signed(soft.ravel()[texels] * 0.8)
    maps[:, _STRAND] = _signed(0.7 * noise(strands, 0.5, 7) + 0.6 * noise(strands, 0.17, 8))
    maps[:, _HOLE] = _byte(np.clip(mask["nostril"] * 0.9 + inner["mouth"] * smoothstep(0.5, 1.0, mask["line"]), 0, 1))
    maps[:, _SOCKET] = _byte(inner["eye"] * 0.8)
    maps[:, _SUN] = _byte(sun)

    def window(values: np.ndarray, more: float = 0.004) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.flatnonzero(values > more)
        return texels[chosen], values[chosen].astype(np.float32)

    gap, nearest = distance_transform_edt(~covered, return_indices=True)
    rim = np.flatnonzero((gap.ravel() > 0) & (gap.ravel() <= GUTTER))
    origin = (nearest[0].ravel()[rim] * size + nearest[1].ravel()[rim]).astype(np.int32)
    lips = np.flatnonzero(mask["lips"] > 0.01)
    brow = np.flatnonzero(mask["brow"] > 0)
    freckled = _blob(p, (0.25, 7.08, 1.3), (0.42, 0.28, 0.4)) + 0.35 * sun * smoothstep(0.75, 0.95, 1 - pale)
    freckled = freckled * (distance < -0.05) * ~inner["eye"] * ~inner["mouth"] * (mask["lips"] < 0.1)
    return SkinLayout(
        size=size,
        texels=texels,
        position=p.astype(np.float32),
        maps=maps,
        gutter=(rim.astype(np.int32), origin),
        lips=(texels[lips], mask["lips"][lips].astype(np.float32), mask["upper_lip"][lips].astype(np.float32)),
        lip_line=window(np.where(mask["lips"] > 0.01, mask["line"], mask["line"] * 0.6)),
        brow=(
            texels[brow],
            mask["along"][brow].astype(np.float32),
            mask["across"][brow].astype(np.float32),
            np.sign(p[brow, 0]).astype(np.float32),
        ),
        lash=window(mask["lash"]),
        lid=window(mask["lid"] * ~inner["eye"]),
        nails=window(nails),
        wrinkles=window(mask["wrinkles"], 0.02),
        freckled=freckled.astype(np.float32),
    )


def base_tone(tone: float, undertone: float = 0.0) -> np.ndarray:
    """(3,) sRGB of the skin of the cheek's side: ``tone`` 0 palest .. 1 darkest, ``undertone`` -1 rosy .. 1 olive."""
    colour = np.array([np.interp(tone, _TONES, _TONE_COLOURS[:, c]) for c in range(3)])
    return np.clip(colour * (1 + undertone * np.array([-0.015, 0.012, -0.03])), 0.02, 0.98)


def _blend(flat: np.ndarray, texels: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    flat[texels] += (np.asarray(colour, np.float32) - flat[texels]) * share[:, None].astype(np.float32)


def _paint_brows(flat: np.ndarray, layout: SkinLayout, identity: Identity, rng: np.random.Generator) -> None:
    texels, along, across, side = layout.brow
    half = 0.020 + 0.022 * identity.brow
    arch = rng.normal(0, 0.006)
    thickness = half * np.interp(along, [-0.04, 0.06, 0.35, 0.7, 1.02], [0.15, 0.85, 1.0, 0.75, 0.1])
    offset = across - arch * np.sin(np.pi * np.clip(along, 0, 1)) + 0.004
    # hairs lean: upright at the nose, along the brow at the temple
    lean = along * 46 - offset * np.interp(along, [0, 0.5, 1], [30, 130, 60])
    points = np.stack([lean * 0.5, along * 3 + side * 20, offset * 9], 1)
    hairs = noise(points, 0.35, int(identity.skin_seed % 9973))
    edge = (thickness * (1 + 0.22 * hairs) - np.abs(offset)) / (0.013 + 6.0 / layout.size * 0.5)
    cover = smoothstep(-0.2, 1.0, edge) * np.clip(0.72 + 0.3 * hairs, 0, 1) * (0.62 + 0.36 * identity.brow)
    colour = np.minimum(np.array(identity.brow_colour), base_tone(identity.tone) * (0.45 + 0.4 * identity.age))
    _blend(flat, texels, colour, cover)


def _paint_spots(flat: np.ndarray, layout: SkinLayout, identity: Identity, rng: np.random.Generator) -> None:
    """Freckles and a few moles: small soft discs that darken the skin."""
    size = layout.size
    wanted = int(round(identity.freckles * 420)) + int(rng.integers(2, 8))
    likely = layout.freckled * (0.15 + identity.freckles)
    candidates = rng.integers(0, len(layout.texels), wanted * 40)
    candidates = candidates[rng.random(len(candidates)) < likely[candidates]][:wanted]
    if not len(candidates):
        return
    centre = layout.texels[candidates]
    y, x = np.divmod(centre, size)
    radius = np.exp(rng.normal(np.log(1.05), 0.3, len(centre))) * size / 1024
    strength = rng.uniform(0.05, 0.18, len(centre)) * (1 - 0.4 * identity.tone)
    mole = rng.random(len(centre)) < (0.5 if identity.freckles == 0 else 0.02)
    strength = np.where(mole, 0.30, strength)
    reach = np.arange(-3, 4)
    dy, dx = np.meshgrid(reach, reach, indexing="ij")
    falloff = np.exp(-(dx.ravel()[None] ** 2 + dy.ravel()[None] ** 2) / (2 * np.maximum(radius, 0.45)[:, None] ** 2))
    amount = (strength * np.minimum(1, (radius / 0.45) ** 2))[:, None] * falloff
    rows = np.clip(y[:, None] + dy.ravel()[None], 0, size - 1)
    columns = np.clip(x[:, None] + dx.ravel()[None], 0, size - 1)
    total = np.zeros(size * size, np.float32)
    where = (rows * size + columns).ravel()
    np.maximum.at(total, where, amount.ravel().astype(np.float32))
    where = np.unique(where)
    flat[where] *= 1 - total[where, None] * np.array([0.75, 1.0, 1.1], np.float32)


@dataclass(frozen=True)
class _Paint:
    """The numbers `_compose` takes, for one person."""

    base: np.ndarray
    slope: np.ndarray
    red: np.ndarray
    scale: np.ndarray
    scalp: np.ndarray
    beard: np.ndarray
    paint: np.ndarray
    dark_skin: float


def _numbers(identity: Identity, rng: np.random.Generator) -> _Paint:
    tone, olive = identity.tone, identity.undertone
    base = base_tone(tone, olive)
    low, high = max(tone - 0.12, 0.0), min(tone + 0.12, 1.0)
    slope = (base_tone(high, olive) - base_tone(low, olive)) / (high - low)
    red = base * np.array([0.055, -0.20, -0.17]) * (1 - 0.55 * tone)
    dark_skin = float(smoothstep(0.45, 0.85, np.float64(tone)))
    signs = rng.choice((-1, 1), 2)
    scale = np.array(
        [
            0.024 * signs[0] * (1 + 0.6 * identity.age),  # low
            0.20 * signs[1],  # low2, red
            0.045 * (1 + 1.2 * identity.age),  # middle
            0.013,  # fine
            0.14 + 0.03 * dark_skin,  # dark
            0.03 + 0.24 * dark_skin,  # pale
            0.045 * rng.uniform(0, 1),  # sun
            0.30 + 0.55 * identity.blush,
        ]
    )
    male = identity.gender > 0.5
    clipped = identity.hair in ("bald", "shaved", "buzz")
    recess = (0.02 + 0.20 * identity.age + 0.05 * rng.random()) if male else 0.0
    paint = np.array(
        [
            {"bald": 0.10, "shaved": 0.40, "buzz": 0.80}.get(identity.hair, 0.97),  # cover
            0.10 if clipped else 0.075,  # edge
            rng.normal(0.0, 0.018) + (0.02 if male else 0.0),  # shift
            recess,
            0.5 if clipped else 0.12,  # strands
            0.62 * identity.stubble,
        ]
    )
    hair, brows = np.array(identity.hair_colour), np.array(identity.brow_colour)
    scalp = hair * 0.82 + 0.18 * base * (1.0 if clipped else 0.6)
    beard = 0.8 * brows + 0.2 * base * np.array([0.62, 0.66, 0.72])
    return _Paint(base, slope, red, scale, scalp, beard, paint, dark_skin)


def _paint_face(flat: np.ndarray, layout: SkinLayout, identity: Identity, numbers: _Paint, lips: float = 1.0) -> None:
    """Lips, the line between them, lids, lashes and brows over skin that is there."""
    male, base, dark_skin = identity.gender > 0.5, numbers.base, numbers.dark_skin
    texels, cover, upper = layout.lips
    natural = base * (np.array([0.88, 0.60, 0.60]) * (1 - dark_skin) + np.array([0.88, 0.72, 0.73]) * dark_skin)
    lip = natural + (np.array(identity.lip_colour) * (1 - 0.45 * dark_skin) - natural) * 0.8 * identity.lipstick
    wrinkle = noise(layout_points(layout, texels) * np.array([6.0, 1.0, 1.0]), 0.12, 21) * 0.05
    colour = lip[None] * (1 + wrinkle - 0.10 * upper)[:, None]
    strength = ((0.72 if male else 0.82) + 0.15 * identity.lipstick) * lips
    _blend(flat, texels, colour, cover * strength)
    _blend(flat, layout.lip_line[0], lip * 0.38, layout.lip_line[1] * 0.9 * lips)
    made_up = 0.35 * identity.lipstick
    _blend(flat, layout.lid[0], base * np.array([0.80, 0.68, 0.66]), layout.lid[1] * (0.35 * lips + made_up))
    lash = 0.35 * np.array(identity.brow_colour) + 0.10 * base
    _blend(flat, layout.lash[0], lash, np.clip(layout.lash[1] * (0.80 if male else 1.0 + 0.2 * made_up), 0, 0.97))
    _paint_brows(flat, layout, identity, np.random.default_rng([identity.skin_seed, 12]))


def skin_texture(identity: Identity, body: Body, size: int = 1024) -> np.ndarray:
    """Paint a person's skin.

    Args:
        identity: the person.
        body: whose texture layout is used.
        size: side of the square texture, 128 or more.

    Returns:
        (size, size, 3) float32 sRGB albedo in [0, 1]; the first row is v = 1.
    """
    layout = skin_layout(body, size)
    rng = np.random.default_rng([identity.skin_seed, 11])
    n = _numbers(identity, rng)
    out = np.empty((size, size, 3), np.float32)
    out[:] = n.base.astype(np.float32)
    flat = out.reshape(-1, 3)
    _compose(layout.maps, layout.texels, flat, n.base, n.slope, n.red, n.scale, n.scalp, n.beard, n.paint)
    _paint_spots(flat, layout, identity, rng)
    nail = n.base * np.array([1.04, 0.92, 0.92]) + 0.05
    _blend(flat, layout.nails[0], nail, layout.nails[1] * 0.65)
    texels, depth = layout.wrinkles
    aged = 0.06 + 0.34 * float(smoothstep(0.15, 0.7, np.float64(identity.age)))
    _blend(flat, texels, n.base * np.array([0.66, 0.56, 0.54]), depth * aged)
    _paint_face(flat, layout, identity, n)
    np.clip(out, 0.0, 1.0, out=out)
    flat[layout.gutter[0]] = flat[layout.gutter[1]]
    return out


def paint_photo(identity: Identity, body: Body, photo: np.ndarray) -> np.ndarray:
    """Paint hairline, brows, lashes and a little lip over a photographed skin (S, S, 3) float32 on the same layout.

    What clothes cover is plain painted skin: nothing intimate is taken from the photograph.

    Returns:
        (S, S, 3) float32 sRGB in [0, 1], a new array.
    """
    layout = skin_layout(body, len(photo))
    own = skin_texture(identity, body, len(photo))
    flat, mine = np.array(photo, np.float32).reshape(-1, 3), own.reshape(-1, 3)
    p = layout.position
    trunk = smoothstep(2.2, 1.8, np.abs(p[:, 0])) * smoothstep(4.7, 4.3, p[:, 1]) * smoothstep(-3.2, -2.6, p[:, 1])
    scalp = np.where(layout.maps[:, _HAIRLINE] > 0, smoothstep(0.42, 0.52, layout.maps[:, _HAIRLINE] / 255.0), 0)
    share = np.maximum(trunk, scalp)[:, None].astype(np.float32)
    flat[layout.texels] += (mine[layout.texels] - flat[layout.texels]) * share
    _paint_face(flat, layout, identity, _numbers(identity, np.random.default_rng([identity.skin_seed, 11])), lips=0.35)
    np.clip(flat, 0.0, 1.0, out=flat)
    flat[layout.gutter[0]] = flat[layout.gutter[1]]
    return flat.reshape(photo.shape)


def layout_points(layout: SkinLayout, texels: np.ndarray) -> np.ndarray:
    """Positions (n, 3) in dm on the standard body of covered texels given by flat index (sorted)."""
    return layout.position[np.searchsorted(layout.texels, texels)]


@dataclass(frozen=True)
class EyeMesh:
    """The front halves of both eyeballs, finer than the body's own; rigid with the bone "head"."""

    vertices: np.ndarray  # (N, 3) float32, dm, rest pose
    faces: np.ndarray  # (M, 3) int32, seen from outside
    texture_points: np.ndarray  # (N, 2) float32, v up; the gaze looks at (0.5, 0.5), radius 0.5 is 90 degrees
    normals: np.ndarray  # (N, 3) float32, unit


@lru_cache(maxsize=1)
def _eye_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions (N, 3), triangles and texture points of a half sphere that looks along z."""
    rings = np.radians([7, 14, 20, 26, 34, 45, 60, 78, 92])
    around = np.arange(20) / 20 * 2 * np.pi
    angle = np.repeat(rings, 20)
    turn = np.tile(around, len(rings))
    rays = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], 1)
    rays = np.concatenate([[[0, 0, 1]], rays])
    flat = np.stack([np.cos(turn), np.sin(turn)], 1) * (angle / np.pi)[:, None]
    texture = np.clip(np.concatenate([[[0, 0]], flat]) + 0.5, 0, 1)
    k = np.arange(20)
    triangles = [np.stack([0 * k, 1 + k, 1 + (k + 1) % 20], 1)]
    for ring in range(len(rings) - 1):
        a, b = 1 + ring * 20 + k, 1 + ring * 20 + (k + 1) % 20
        triangles += [np.stack([a, a + 20, b], 1), np.stack([b, a + 20, b + 20], 1)]
    return rays, np.concatenate(triangles), texture


def eyes(body: Body, nodes: np.ndarray, gaze: tuple[float, float] = (0.0, 0.0)) -> EyeMesh:
    """Eyeballs that fit a person.

    Args:
        body: the body.
        nodes: of `Body.nodes`.
        gaze: degrees to the person's left and up.
    """
    rays, faces, texture = _eye_grid()
    yaw, pitch = np.radians(gaze)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    directions = rays @ turn.T
    own = np.unique(body.eyes)
    vertices, normals = [], []
    for sign in (1, -1):
        eye = nodes[own][_eye_sides(body) * sign > 0].astype(np.float64)
        centre = eye.mean(0)
        radius = np.linalg.norm(eye - centre, axis=1).mean()
        vertices.append(centre + directions * radius)
        normals.append(directions)
    count = len(rays)
    return EyeMesh(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate([faces, faces + count]).astype(np.int32),
        np.concatenate([texture, texture]).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
    )


@lru_cache(maxsize=2)
def _eye_sides(body: Body) -> np.ndarray:
    """x of the eyeballs' vertices on the standard body: its sign is the side."""
    return body.vertices(STANDARD)[np.unique(body.eyes), 0]


@lru_cache(maxsize=4)
def _eye_maps(size: int) -> tuple[np.ndarray, ...]:
    """Angle from the gaze in degrees, direction around it, height above it: (size, size) float32 each."""
    axis = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    x, y = np.broadcast_arrays(axis[None, :], -axis[:, None])
    return np.hypot(x, y) * 180, np.arctan2(y, x), y.copy()


def eye_texture(identity: Identity, size: int = 96) -> np.ndarray:
    """Sclera, iris and pupil for `eyes`.

    Returns:
        (size, size, 3) float32 sRGB in [0, 1]; the first row is v = 1.
    """
    angle, around, y = _eye_maps(size)
    iris_edge, pupil_edge = 22.5, 8.5
    soft = 0.8 * 180 / size
    rays = np.random.default_rng([identity.skin_seed, 13]).standard_normal(64)
    ring = np.append(rays, rays[0])
    streak = np.interp((around + np.pi) / (2 * np.pi) * 64, np.arange(65), ring)
    depth = np.clip((angle - pupil_edge) / (iris_edge - pupil_edge), 0, 1)
    lidded = smoothstep(0.02, 0.15, y)  # shadow of the upper lid
    iris = np.array(identity.iris)[None, None] * (1.18 - 0.25 * depth + 0.10 * streak - 0.4 * lidded)[..., None]
    iris = iris * (1 - 0.6 * smoothstep(0.70, 1.0, depth))[..., None]  # limbal ring
    pink = smoothstep(28, 60, angle)[..., None]
    white = np.array([0.76, 0.745, 0.73]) * (1 - pink) + np.array([0.66, 0.53, 0.49]) * pink
    white = white * (1 - 0.38 * lidded)[..., None]
    out = white + (iris - white) * smoothstep(iris_edge + soft, iris_edge - soft, angle)[..., None]
    out = out * (1 - smoothstep(pupil_edge + soft, pupil_edge - soft, angle)[..., None] * 0.95)
    return np.clip(out, 0.012, 1).astype(np.float32)
