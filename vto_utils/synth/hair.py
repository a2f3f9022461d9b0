"""Hair: cards and sheets grown on a standard head, then carried over to the person's own.

A strand starts at the parting (or the crown), follows the head, falls with gravity and is pushed out of head, neck and
shoulders. Sheets of strands make the hair opaque, cards over them give it locks, and `skin` paints the scalp in the
colour of the hair, so that no gap shows skin.

Convention:
    Decimetres in the rest pose. Texture: see `hair_texture`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

from .body import Body
from .curves import smoothstep
from .hair_cards import HairBuilder
from .hair_texture import hair_texture
from .locks import HairLook
from .long_hair import fringe, long_hair, tied_hair
from .people import LONG_HAIR, Identity
from .scalp import standard_head, unit
from .short_hair import ball, short_hair

PAINTED = frozenset({"bald", "shaved", "buzz"})  # styles without a mesh

Array = np.ndarray


@dataclass(frozen=True)
class HairMesh:
    """Hair in the rest pose; two-sided, cut out where the texture's alpha is below 0.5."""

    vertices: Array  # (N, 3) float32, dm
    faces: Array  # (M, 3) int32
    texture_points: Array  # (N, 2) float32, v up
    texture: Array  # (H, W, 4) float32, sRGB and alpha in [0, 1]
    normals: Array  # (N, 3) float32, unit; for shading, smoother than the faces'
    weight_bones: Array  # (N, 4) int32
    weights: Array  # (N, 4) float32, sum 1


def _grown(body: Body, identity: Identity) -> HairBuilder:
    """Grow the hair of a person on the standard head."""
    build = HairBuilder(standard_head(body))
    falls = identity.falls if identity.hair in LONG_HAIR or identity.hair == "lob" else "behind"
    look = HairLook(
        length=identity.hair_length,
        volume=identity.hair_volume,
        part=float(np.clip(identity.parting, -1, 1)) * 0.34,
        fringe=identity.fringe,
        falls=falls,
        seed=identity.hair_seed,
    )
    style = identity.hair
    if style in ("crop", "side_part", "quiff", "pixie"):
        short_hair(build, body, look, style)
    elif style in ("afro", "curls"):
        ball(build, body, look, style)
    elif style in ("ponytail", "bun"):
        tied_hair(build, body, look, style)
        if look.fringe > 0:
            fringe(build, look, np.random.default_rng([look.seed, 5]))
    else:
        long_hair(build, body, look, style)
    return build


@nb.njit(cache=True, fastmath=True)
def _follow(points, anchors, moves, out):
    """Move ``points`` (N, 3) as the nearest of ``anchors`` (A, 3) do: a blend that is wider further away."""
    count = len(anchors)
    squared = np.empty(count, np.float32)
    for n in range(len(points)):
        least = np.float32(1e9)
        for k in range(count):
            x, y, z = points[n, 0] - anchors[k, 0], points[n, 1] - anchors[k, 1], points[n, 2] - anchors[k, 2]
            squared[k] = x * x + y * y + z * z
            least = min(least, squared[k])
        scale = 0.5 / (0.32 + 0.35 * np.sqrt(least)) ** 2
        total, x, y, z = 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            power = (squared[k] - least) * scale
            if power < 9:
                weight = np.exp(-power)
                total += weight
                x += weight * moves[k, 0]
                y += weight * moves[k, 1]
                z += weight * moves[k, 2]
        out[n, 0], out[n, 1], out[n, 2] = points[n, 0] + x / total, points[n, 1] + y / total, points[n, 2] + z / total


def _carry(body: Body, points: Array, nodes: Array) -> Array:
    """Move points from the standard body to another one: they follow the nearest places of its skin."""
    head = standard_head(body)
    anchor = head.vertices[head.anchors].astype(np.float32)
    moved = nodes[head.anchors].astype(np.float32) - anchor
    points = np.ascontiguousarray(points, np.float32)
    out = np.empty_like(points)
    _follow(points, anchor, moved, out)
    return out


def hair_weights(body: Body, points: Array) -> tuple[Array, Array]:
    """Bones (N, 4) and weights (N, 4) of hair at points (N, 3) of the standard body: the head, and further down the
    chest, so that long hair rests there when the head turns."""
    y = points[:, 1]
    head = smoothstep(5.35, 6.75, y)
    neck = smoothstep(4.9, 6.0, y) * (1 - head)
    chest = 1 - head - neck
    low = smoothstep(4.6, 3.0, y) * chest
    weights = np.stack([head, neck, chest - low, low], 1).astype(np.float32)
    bones = np.array([body.bone[name] for name in ("head", "neck02", "spine01", "spine02")], np.int32)
    return np.broadcast_to(bones, (len(points), 4)).copy(), weights / weights.sum(1, keepdims=True)


def hair(identity: Identity, body: Body, nodes: Array) -> HairMesh | None:
    """Make a person's hair.

    Args:
        identity: the person.
        body: the body.
        nodes: of `Body.nodes` for ``identity.body_shape()``.

    Returns:
        The mesh in the rest pose, at most 8000 triangles, or None where paint on the scalp is all (`skin`).
    """
    if identity.hair in PAINTED:
        return None
    points, normals, texture_points, faces = _grown(body, identity).arrays()
    bones, weights = hair_weights(body, points)
    return HairMesh(
        vertices=_carry(body, points, nodes).astype(np.float32),
        faces=faces.astype(np.int32),
        texture_points=texture_points.astype(np.float32),
        texture=hair_texture(identity),
        normals=unit(normals).astype(np.float32),
        weight_bones=bones,
        weights=weights,
    )
