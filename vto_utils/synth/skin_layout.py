"""What lies where on the skin's texture: lips, lids, brows, ears, knuckles, scalp.

Found once per process on one standard body, from its geometry.

Convention:
    Texture arrays have v up: the row of a texture point is ``(1 - v) * size``, its column ``u * size``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba as nb
import numpy as np
from scipy.ndimage import distance_transform_edt

from .body import Body
from .curves import smoothstep
from .face_regions import face_masks
from .mesh import vertex_normals
from .standard import HEAD_CENTRE, STANDARD, blob, hairline, islands, noise

GUTTER = 8  # texels around the islands that repeat the nearest colour

#: Columns of `SkinLayout.maps`
RED, DARK, PALE, STUBBLE, HAIRLINE, RECESS, LOW, LOW2, MIDDLE, FINE, STRAND, HOLE, SOCKET, SUN = range(14)
MAPS = 14


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
    knees = blob(p, tuple(knee + (0, 0.02, 0.45)), (0.38, 0.48, 0.5)) * smoothstep(-0.1, 0.5, n[:, 2])
    elbows = blob(p, tuple(elbow + (0.0, 0.05, -0.3)), (0.35, 0.35, 0.4)) * smoothstep(0.1, -0.5, n[:, 2])
    return np.maximum(knees, elbows)


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
    label = islands(body)[body.texture_faces[face, 0]]
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

    face_found = face_masks(body, vertices, p[head], n[head], {name: part[head] for name, part in inner.items()})
    mask = {name: spread_out(head, values) for name, values in face_found.items()}
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

    maps = np.zeros((len(texels), MAPS), np.uint8)
    maps[:, RED] = _byte(np.clip(mask["red"] + 0.45 * knuckles + 0.4 * limb + 0.3 * nails + 0.22 * pale, 0, 1))
    dark = 0.55 * mask["socket"] + 0.5 * knuckles + 0.55 * limb + 0.35 * mask["crease"] + 0.4 * mask["fold"]
    maps[:, DARK] = _byte(np.clip(dark, 0, 1))
    maps[:, PALE] = _byte(pale)
    maps[:, STUBBLE] = _byte(mask["beard"] * ~inner["mouth"])
    maps[:, HAIRLINE] = np.where(scalp, _byte(np.clip(distance + 0.5, 1 / 255, 1)), 0)
    maps[:, RECESS] = _byte(blob(p, (0.55, 7.98, 1.05), (0.28, 0.2, 0.3)))
    maps[:, LOW] = _signed(0.65 * noise(p, 1.1, 1) + 0.5 * noise(p, 0.45, 2))
    maps[:, LOW2] = _signed(0.65 * noise(p, 0.8, 3) + 0.5 * noise(p, 0.3, 4))
    maps[:, MIDDLE] = _signed(0.6 * noise(p, 0.12, 5) + 0.5 * noise(p, 0.05, 6))
    maps[:, FINE] = _signed(soft.ravel()[texels] * 0.8)
    maps[:, STRAND] = _signed(0.7 * noise(strands, 0.5, 7) + 0.6 * noise(strands, 0.17, 8))
    maps[:, HOLE] = _byte(np.clip(mask["nostril"] * 0.9 + inner["mouth"] * smoothstep(0.5, 1.0, mask["line"]), 0, 1))
    maps[:, SOCKET] = _byte(inner["eye"] * 0.8)
    maps[:, SUN] = _byte(sun)

    def window(values: np.ndarray, more: float = 0.004) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.flatnonzero(values > more)
        return texels[chosen], values[chosen].astype(np.float32)

    gap, nearest = distance_transform_edt(~covered, return_indices=True)
    rim = np.flatnonzero((gap.ravel() > 0) & (gap.ravel() <= GUTTER))
    origin = (nearest[0].ravel()[rim] * size + nearest[1].ravel()[rim]).astype(np.int32)
    lips = np.flatnonzero(mask["lips"] > 0.01)
    brow = np.flatnonzero(mask["brow"] > 0)
    freckled = blob(p, (0.25, 7.08, 1.3), (0.42, 0.28, 0.4)) + 0.35 * sun * smoothstep(0.75, 0.95, 1 - pale)
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


def layout_points(layout: SkinLayout, texels: np.ndarray) -> np.ndarray:
    """Positions (n, 3) in dm on the standard body of covered texels given by flat index (sorted)."""
    return layout.position[np.searchsorted(layout.texels, texels)]
