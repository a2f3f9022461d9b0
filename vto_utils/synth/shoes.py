"""Shoes: lofted once round the feet of the standard body, carried to a person's feet, coloured by a small texture.

Convention:
    Decimetres in the rest pose. Texture: u from heel to toe, v round the section (0 and 1 below, 0.25 and 0.75 at the
    edge of the sole, 0.5 on top); the shaft of a boot is the strip beyond u = `SHAFT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from .body import Body
from .curves import smoothstep
from .people import Identity
from .standard import STANDARD

SHAFT = 0.82
SIZE = (96, 192)  # rows, columns of the texture
SOLE = 0.055  # dm below the foot
# dm above the ground that the upper reaches: at the instep, at the heel; and the width of the gap to the foot
_CUT = {
    "sneaker": (1.0, 0.95, 0.085),
    "boot": (1.02, 1.0, 0.09),
    "loafer": (0.72, 0.72, 0.06),
    "flat": (0.30, 0.42, 0.045),
}


@dataclass(frozen=True)
class ShoeMesh:
    """Both shoes in the rest pose; each is rigid with its foot."""

    vertices: np.ndarray  # (N, 3) float32, dm
    faces: np.ndarray  # (M, 3) int32, those of the left shoe first
    faces_left: int  # how many of the faces belong to the person's left shoe
    texture_points: np.ndarray  # (N, 2) float32, v up
    texture: np.ndarray  # (H, W, 3) float32 sRGB in [0, 1]
    weight_bones: np.ndarray  # (N, 1) int32
    weights: np.ndarray  # (N, 1) float32, all 1
    covered: np.ndarray  # (V,) bool, vertices of the body that lie inside a shoe


@dataclass(frozen=True)
class _Loft:
    """One kind of shoe on the left foot of the standard body."""

    vertices: np.ndarray
    faces: np.ndarray
    texture_points: np.ndarray
    foot: np.ndarray  # indices of the vertices the shoe follows
    inverse: np.ndarray  # (4, F): offsets of the foot's vertices -> affine map
    covered: np.ndarray  # indices of the body's vertices inside


def _grid(a: int, b: int, start: int = 0) -> np.ndarray:
    """Triangles of a grid (a, b) of vertices: a rings of b, each turning left as seen from the next one."""
    index = np.arange(a * b).reshape(a, b) + start
    one, two, three, four = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((one, four, two), (two, four, three))])


def _power(x: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(x) * np.abs(x) ** exponent


def _outline(foot: np.ndarray, rows: int, floor: float) -> tuple[np.ndarray, ...]:
    """Along the foot: share from heel to toe, z, left and right edge, height of the foot."""
    z0, z1 = foot[:, 2].min() - 0.07, foot[:, 2].max() + 0.14
    share = (1 - np.cos(np.linspace(0, np.pi, rows))) / 2
    z = z0 + (z1 - z0) * share
    low, high, top = (np.full(rows, np.nan) for _ in range(3))
    for k in range(rows):
        near = foot[np.abs(foot[:, 2] - z[k]) < 0.16]
        if len(near) >= 3:
            base = near[near[:, 1] < floor + 0.6]
            base = near if len(base) < 2 else base
            low[k], high[k] = base[:, 0].min(), base[:, 0].max()
            top[k] = near[:, 1].max() - floor
    good = ~np.isnan(low)
    index = np.arange(rows)

    def smooth(values: np.ndarray) -> np.ndarray:
        return gaussian_filter1d(np.interp(index, index[good], values[good]), 1.4, mode="nearest")

    return share, z, smooth(low), smooth(high), smooth(top)


@lru_cache(maxsize=8)
def _loft(body: Body, kind: str) -> _Loft:
    vertices = body.vertices(STANDARD).astype(np.float64)
    skin = np.unique(body.faces)
    foot = skin[np.isin(body.weight_bones[skin, 0], [body.bone["foot.L"]])]
    points = vertices[foot]
    floor = points[:, 1].min()
    low_foot = points[points[:, 1] < floor + 1.25]
    rows, around = 30, 26
    instep, heel, gap = _CUT[kind]
    share, z, low, high, top = _outline(low_foot, rows, floor)
    toe = np.sqrt(np.clip(1 - np.clip((share - 0.78) / 0.22, 0, 1) ** 2.8, 0, 1))
    back = np.sqrt(np.clip(1 - np.clip((0.12 - share) / 0.12, 0, 1) ** 2.4, 0, 1))
    round_off = np.maximum(toe * back, 0.004)
    middle = (low + high) / 2
    half = ((high - low) / 2 + gap) * round_off
    limit = np.interp(share, [0, 0.2, 0.4, 0.62, 1], [heel, heel, instep, instep, instep])
    if kind == "flat":
        limit = np.interp(share, [0, 0.12, 0.25, 0.66, 0.74, 1], [0.50, 0.46, 0.30, 0.26, 0.75, 0.75])
    if kind == "loafer":
        limit = np.interp(share, [0, 0.15, 0.3, 0.45, 0.52, 1], [0.78, 0.74, 0.60, 0.60, 1.0, 1.0])
    tall = np.minimum(np.maximum(top + gap, 0.40), limit) * np.where(share > 0.7, np.maximum(toe, 0.25), 1)
    angle = np.linspace(-np.pi / 2, np.pi * 1.5, around)
    c, s = np.cos(angle), np.sin(angle)
    x = middle[:, None] + half[:, None] * _power(c, 0.75) * np.where(s > 0, 1 - 0.16 * s, 1.03)
    sole = 0.24 if kind in ("sneaker", "boot") else 0.15
    upper = sole + np.maximum(tall[:, None] - sole + SOLE, 0.02) * _power(np.maximum(s, 0), 0.8)
    y = floor - SOLE + np.where(s > 0, upper, sole + sole * _power(np.minimum(s, 0), 0.3))
    shoe = np.stack([x, y, np.repeat(z[:, None], around, 1)], -1)
    v = (angle + np.pi / 2) / (2 * np.pi)
    texture = np.stack(np.broadcast_arrays(share[:, None] * (SHAFT - 0.02), v[None]), -1)
    parts, corners, faces = [shoe.reshape(-1, 3)], [texture.reshape(-1, 2)], [_grid(rows, around)]
    reach = floor + (1.15 if kind == "boot" else instep)
    if kind == "boot":
        leg_bones = [body.bone[name] for name in ("lowerleg02.L", "foot.L", "lowerleg01.L")]
        leg = vertices[skin[np.isin(body.weight_bones[skin, 0], leg_bones)]]
        rings = np.linspace(floor + 0.62, floor + 1.75, 7)
        turn = np.linspace(0, 2 * np.pi, around)
        shaft = np.empty((7, around, 3))
        for k, level in enumerate(rings):
            near = leg[np.abs(leg[:, 1] - level) < 0.12]
            near = near[near[:, 2] < 0.95 - 0.5 * k / 6]
            centre = (near.min(0) + near.max(0)) / 2
            width = np.ptp(near, axis=0) / 2 + 0.10 + 0.015 * k
            shaft[k, :, 0] = centre[0] + width[0] * np.sin(turn)
            shaft[k, :, 1] = level
            shaft[k, :, 2] = centre[2] + width[2] * np.cos(turn)
        up = np.linspace(0, 1, 7)
        parts.append(shaft.reshape(-1, 3))
        strip = np.broadcast_arrays(SHAFT + 0.02 + 0.16 * up[:, None], turn[None] / (2 * np.pi))
        corners.append(np.stack(strip, -1).reshape(-1, 2))
        faces.append(_grid(7, around, rows * around)[:, ::-1])
        reach = floor + 1.62
    near_leg = skin[(vertices[skin, 0] > 0) & (vertices[skin, 1] < reach - 0.12)]
    along = np.interp(vertices[near_leg, 2], z, share)
    height = np.interp(along, share, tall) if kind != "boot" else np.full(len(near_leg), 9.0)
    covered = near_leg[vertices[near_leg, 1] < floor + height - 0.10]
    base = np.c_[points, np.ones(len(points))]
    return _Loft(
        np.concatenate(parts), np.concatenate(faces), np.concatenate(corners), foot, np.linalg.pinv(base), covered
    )


@lru_cache(maxsize=2)
def _mirror(body: Body) -> np.ndarray:
    """(V,) the vertex that lies mirrored, the nearest one."""
    vertices = body.vertices(STANDARD)
    return cKDTree(vertices).query(vertices * np.array([-1, 1, 1]), workers=1)[1]


def shoe_texture(identity: Identity) -> np.ndarray:
    """(96, 192, 3) float32 sRGB; the first row is v = 1."""
    rows, columns = SIZE
    u = ((np.arange(columns) + 0.5) / columns)[None] / (SHAFT - 0.02)
    v = 1 - ((np.arange(rows) + 0.5) / rows)[:, None]
    top = np.abs(v - 0.5)  # 0 on top, 0.25 at the edge of the sole
    colour, sole = np.array(identity.shoe_colour), np.array(identity.sole_colour)
    rng = np.random.default_rng([identity.skin_seed, 17])
    grain = 1 + 0.03 * rng.standard_normal((rows, columns))
    out = np.broadcast_to(colour, (rows, columns, 3)) * grain[..., None]

    def line(distance: np.ndarray, width: float, depth: float) -> np.ndarray:
        return 1 - depth * np.exp(-((distance / width) ** 2))[..., None]

    kind = identity.shoes
    body_part = u < 1
    if kind == "sneaker":
        out = out * line(np.hypot(np.maximum(0.66 - u, 0), np.maximum(u - 0.66, 0)) + 0 * v, 0.008, 0.30)  # toe cap
        out = out * line(np.where((u > 0.34) & (u < 0.66), top - 0.085, 1), 0.008, 0.25)
        laces = (top < 0.075) & (u > 0.38) & (u < 0.63) & (((u * 26) % 1) < 0.5)
        pale = sole * 0.55 + 0.45 * np.where(colour.mean() > 0.5, colour * 0.8, 0.85)
        out = np.where(laces[..., None], pale, out)
        out = np.where(((top < 0.05) & (u > 0.2) & (u < 0.38))[..., None], colour * 0.55, out)  # opening
        out = out * line(np.where(u < 0.3, u - 0.17 + 0.3 * (top - 0.15), 1), 0.01, 0.2)
    elif kind == "boot":
        out = out * line(u - 0.62 + 0 * v, 0.008, 0.35)
        out = out * np.where(body_part, 1, 0.97 + 0.03 * np.sin(u * 60))[..., None]
        gusset = (~body_part) & (np.abs(np.abs(v - 0.5) - 0.25) < 0.06)
        out = np.where(gusset[..., None], colour * 0.55, out)
    elif kind == "loafer":
        out = out * line(np.where(u > 0.6, np.hypot((u - 0.62) * 0.35, top) - 0.115, 1), 0.010, 0.45)
        out = out * line(u - 0.60 + 0 * v, 0.012, 0.35) * line(u - 0.70 + 0 * v, 0.010, 0.3)
        out = np.where(((top < 0.12) & (u > 0.12) & (u < 0.5))[..., None], colour * 0.45, out)
    else:
        out = np.where(((top < 0.15) & (u > 0.12) & (u < 0.7))[..., None], colour * 0.6, out)
        out = out * line(np.where((u > 0.76) & (top < 0.1), np.abs(u - 0.80), 1), 0.012, 0.25)
    welt = smoothstep(0.236, 0.244, top) * body_part
    out = out * (1 - welt[..., None]) + sole * grain[..., None] * welt[..., None]
    out = out * line(np.where(body_part, top - 0.238, 1), 0.007, 0.4)
    return np.clip(out, 0.01, 0.98).astype(np.float32)


def shoes(identity: Identity, body: Body, nodes: np.ndarray) -> ShoeMesh | None:
    """Make a person's shoes.

    Args:
        identity: the person.
        body: the body.
        nodes: of `Body.nodes` for ``identity.body_shape()``.

    Returns:
        Both shoes, or None for bare feet.
    """
    if identity.shoes == "barefoot":
        return None
    loft = _loft(body, identity.shoes)
    count = len(loft.vertices)
    vertices, bones = [], []
    mirror = _mirror(body)
    flip = np.array([-1.0, 1.0, 1.0])
    for side in ("L", "R"):
        left = side == "L"
        foot = nodes[loft.foot].astype(np.float64) if left else nodes[mirror[loft.foot]].astype(np.float64) * flip
        affine = loft.inverse @ foot
        placed = np.c_[loft.vertices, np.ones(count)] @ affine
        vertices.append(placed if left else placed * flip)
        bones.append(np.full((count, 1), body.bone[f"foot.{side}"], np.int32))
    faces = np.concatenate([loft.faces, loft.faces[:, ::-1] + count])
    covered = np.zeros(body.count, bool)
    covered[loft.covered] = True
    covered[mirror[loft.covered]] = True
    return ShoeMesh(
        vertices=np.concatenate(vertices).astype(np.float32),
        faces=faces.astype(np.int32),
        faces_left=len(loft.faces),
        texture_points=np.concatenate([loft.texture_points] * 2).astype(np.float32),
        texture=shoe_texture(identity),
        weight_bones=np.concatenate(bones),
        weights=np.ones((2 * count, 1), np.float32),
        covered=covered,
    )
