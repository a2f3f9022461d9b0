"""Cloth shells: surfaces round the body that clothes are cut out of, with their flattened panels.

Two shells serve every garment. The *robe* is the body's tight suit from the neck to the hips and, below, a wide
tube lofted round both legs: tops, dresses and skirts are cut out of it. The *trousers* are the suit from the waist
down. Each is inflated to a looseness without ever entering the body, and falls into a front and a back panel that
meet at the side seams; every panel was laid flat once on a canonical body (`patterns`). A vertex's place in the flat
does not change with shape, pose or fit, so that it is the exact flow from the person to the garment's photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import scipy.sparse as sp

from . import mesh
from .body import Body, Shape, load_body

CANONICAL = Shape(gender=0.35)
OFFSET = 0.08  # dm, the least distance between skin and cloth
STEP = 0.001  # dm, one unit of the stored panels


class Suit:
    """The body's tight suit, subdivided once, and the way it is inflated."""

    def __init__(self, body: Body) -> None:
        used, faces = mesh.compact(body.cloth)
        matrix, self.faces = mesh.subdivide(len(used), faces)
        pick = sp.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), (len(used), body.count))
        self.from_body = (matrix @ pick).astype(np.float32).tocsr()
        self.mean = mesh.neighbour_mean(matrix.shape[0], self.faces).astype(np.float32)
        canonical = self.from_body @ body.vertices(CANONICAL)
        away = np.hypot(np.abs(canonical[:, 0]) - 1.75, canonical[:, 1] - 3.75)
        self._armpit = (0.8 * np.exp(-((away / 0.6) ** 4)))[:, None].astype(np.float32)
        dense = np.zeros((body.count, len(body.bones)), np.float32)
        np.put_along_axis(dense, body.weight_bones, body.weights, 1)
        dense = self.from_body @ dense
        for _ in range(6):  # cloth bends more gently than skin
            dense = 0.5 * dense + 0.5 * (self.mean @ dense)
        self.weights = dense
        side = {
            sign: dense[:, [k for name, k in body.bone.items() if "leg" in name and name.endswith(end)]].sum(1)
            for sign, end in ((1, "L"), (-1, "R"))
        }
        self._left, self._right = (np.flatnonzero(side[sign] > 0.4) for sign in (1, -1))

    def base(self, vertices: np.ndarray) -> np.ndarray:
        """The suit on a body in the rest pose, (N, 3) float32 for body vertices (V, 3), slightly smoothed."""
        base = self.from_body @ vertices
        for _ in range(2):
            base = 0.5 * base + 0.5 * (self.mean @ base)
        for _ in range(30):  # the suit has a pocket in the armpit, which cloth bridges
            base = base + self._armpit * (self.mean @ base - base)
        return base

    def inflate(
        self, base: np.ndarray, loose: np.ndarray | float, offset: np.ndarray | float = OFFSET, rounds: int = 12
    ) -> np.ndarray:
        """Blow the suit up and let it relax, never nearer to the body than ``offset``.

        Args:
            base: of `base`.
            loose: dm beyond ``offset``, one number or (N,).
            offset: dm, one number or (N,).
            rounds: of relaxing; more bridge wider hollows.
        """
        normals = mesh.vertex_normals(base, self.faces)
        cloth = base + normals * np.broadcast_to(np.float32(offset) + np.float32(loose), len(base))[:, None]
        offset = np.float32(offset)
        for _ in range(rounds):
            cloth = 0.4 * cloth + 0.6 * (self.mean @ cloth)
            gap = ((cloth - base) * normals).sum(1)
            cloth += normals * np.maximum(offset - gap, 0)[:, None]
            # trouser legs meet in the middle; they do not run into each other
            cloth[self._left, 0] = np.maximum(cloth[self._left, 0], 0.02)
            cloth[self._right, 0] = np.minimum(cloth[self._right, 0], -0.02)
        return cloth.astype(np.float32)


def arm_attributes(body: Body, nodes: np.ndarray, suit: Suit, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far down the arm, and how much of an arm, each point of the suit is.

    Returns:
        (N,) position along the arm, 0 at the shoulder joint and 1 at the wrist; (N,) arm's share of the skinning.
    """
    joint = {name: nodes[body.count + k] for name, k in body.bone.items()}
    shoulder, elbow, wrist = (joint[f"{name}.L"] for name in ("upperarm01", "lowerarm01", "wrist"))
    mirrored = points * np.where(points[:, :1] < 0, np.float32([-1, 1, 1]), np.float32(1))
    upper, lower = elbow - shoulder, wrist - elbow
    a, b = np.linalg.norm(upper), np.linalg.norm(lower)
    bisector = upper / a + lower / b
    above = (mirrored - elbow) @ bisector < 0
    along = np.where(above, (mirrored - shoulder) @ upper / a, a + (mirrored - elbow) @ lower / b) / (a + b)
    arms = [k for name, k in body.bone.items() if name.startswith(("upperarm", "lowerarm", "wrist"))]
    return along.astype(np.float32), suit.weights[:, arms].sum(1)


@dataclass(frozen=True)
class Pattern:
    """A shell's mesh and its panels, as baked."""

    name: str  # robe or trousers
    faces: np.ndarray  # (F, 3) int32, front panel first
    front: int  # number of faces of the front panel
    from_suit: sp.csr_matrix  # (V, N) from the inflated suit
    from_tube: sp.csr_matrix | None  # (V, K * R) from the lofted tube; robe only
    ring: sp.csr_matrix | None  # (K, N) the tube's upper rim, from the inflated suit; robe only
    points: np.ndarray  # (V, 3) float32 dm on the canonical body, loosely dressed
    along: np.ndarray  # (V,) float32, position along the arm (or 0)
    arm: np.ndarray  # (V,) float32, share of the arm
    weight_bones: np.ndarray  # (V, 6) int32
    weights: np.ndarray  # (V, 6) float32
    panels: np.ndarray  # (levels of looseness, angles, V, 2) float32 dm; x to the wearer's left, y up
    loose: tuple[float, ...]  # the looseness of each level, dm
    angles: tuple[float, ...]  # degrees by which sleeves (legs) were turned, each; positive hangs down (apart)

    @cached_property
    def smooth(self) -> sp.csr_matrix:
        """(V, V) that replaces a vertex by the mean of its neighbours."""
        return mesh.neighbour_mean(len(self.points), self.faces).astype(np.float32)

    @cached_property
    def edges(self) -> np.ndarray:
        """(E, 2) every edge once."""
        return mesh.edges(self.faces)

    @cached_property
    def _nearest(self) -> np.ndarray:
        """(N,) for every vertex of the suit the vertex of this shell that is nearest to it."""
        from scipy.spatial import cKDTree

        suit = load_suit()
        body = load_body()
        cloth = suit.inflate(suit.base(body.vertices(CANONICAL)), self.loose[1])
        return cKDTree(self.points).query(cloth)[1]

    def to_suit(self, values: np.ndarray) -> np.ndarray:
        """Values of this shell's vertices (V,) on the suit's (N,)."""
        return values[self._nearest]

    def lay(self, loose: np.ndarray, angles: tuple[float, float]) -> np.ndarray:
        """The panels laid flat.

        Args:
            loose: (V,) dm between body and cloth; smooth.
            angles: degrees that the wearer's right (x < 0) and left sleeve or leg are turned.

        Returns:
            (V, 2) float32 dm; the two sides meet on the middle line, which no turn moves.
        """
        left = (self.points[:, 0] >= 0)[:, None]
        turned = []
        for own in angles:
            low, high, share = _between(self.angles, own)
            turned.append(self.panels[:, low] * np.float32(1 - share) + self.panels[:, high] * np.float32(share))
        levels = np.where(left[None], turned[1], turned[0])  # (levels, V, 2)
        low, high, share = _between(self.loose, loose)
        index = np.arange(len(self.points))
        share = np.asarray(share, np.float32)[:, None]
        return levels[low, index] * (1 - share) + levels[high, index] * share


def _between(stations: tuple[float, ...], value: float | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear interpolation between stations: lower and upper index, share of the upper."""
    place = np.interp(value, stations, range(len(stations)))
    low = np.minimum(place.astype(int), len(stations) - 2)
    return low, low + 1, place - low


@cache
def load_suit() -> Suit:
    """The suit of the package's body, made once per process."""
    return Suit(load_body())


@cache
def load_pattern(name: str) -> Pattern:
    """``"robe"`` or ``"trousers"``, read once per process."""
    data = load_body().data

    def matrix(key: str) -> sp.csr_matrix | None:
        if f"{name}_{key}_rows" not in data:
            return None
        values = data[f"{name}_{key}_values"].astype(np.float32) / 65535
        places = data[f"{name}_{key}_rows"].astype(np.int32), data[f"{name}_{key}_columns"].astype(np.int32)
        return sp.csr_matrix((values, places), tuple(data[f"{name}_{key}_shape"]))

    return Pattern(
        name=name,
        faces=np.ascontiguousarray(data[f"{name}_faces"]).astype(np.int32),
        front=int(data[f"{name}_front"]),
        from_suit=matrix("from_suit"),
        from_tube=matrix("from_tube"),
        ring=matrix("ring"),
        points=np.ascontiguousarray(data[f"{name}_points"]),
        along=data[f"{name}_along"].astype(np.float32),
        arm=data[f"{name}_arm"].astype(np.float32),
        weight_bones=np.ascontiguousarray(data[f"{name}_weight_bones"]).astype(np.int32),
        weights=np.ascontiguousarray(data[f"{name}_weights"]).astype(np.float32) / 65535,
        panels=np.ascontiguousarray(data[f"{name}_panels"]).astype(np.float32) * STEP,
        loose=tuple(float(x) for x in data["panel_loose"]),
        angles=tuple(float(x) for x in data[f"{name}_angles"]),
    )


ROWS = 44  # of the tube
TUBE_END = 0.35  # dm above the ankle joint


def tube(
    rim: np.ndarray, legs: np.ndarray, ankle: float, loose: float, flare: float, taper: float, offset: float = OFFSET
) -> np.ndarray:
    """The lower part of the robe: a tube from the hips to the ankles, round both legs.

    Args:
        rim: (K, 3) dm, its upper edge, in order round the body.
        legs: (N, 3) dm, points of the legs and hips it has to clear, rest pose.
        ankle: height of the ankle joint, dm.
        loose: dm between cloth and legs, beyond ``offset``.
        flare: dm outwards for each dm down, added below the rim.
        taper: dm inwards for each dm down that the cloth may follow the legs: 0 hangs straight.

    Returns:
        (ROWS, K, 3) float32; row 0 is the rim.
    """
    down = (np.arange(ROWS) / (ROWS - 1)).astype(np.float32)
    low = ankle + TUBE_END
    centre = rim[:, [0, 2]].mean(0)
    azimuth = np.arctan2(rim[:, 0] - centre[0], rim[:, 2] - centre[1])
    first = np.hypot(rim[:, 0] - centre[0], rim[:, 2] - centre[1])
    directions = np.linspace(-np.pi, np.pi, 72, endpoint=False)
    compass = np.stack([np.sin(directions), np.cos(directions)])
    difference = directions[:, None] - directions[None]
    cosine = np.cos(difference)
    flat = np.stack([legs[:, 0], legs[:, 2]], 1)
    rows = np.empty((ROWS, len(rim), 3), np.float32)
    rows[0] = rim
    heights = rim[:, 1].mean() + (low - rim[:, 1].mean()) * down
    radius = first
    for k in range(1, ROWS):
        slab = np.abs(legs[:, 1] - heights[k]) < 0.3
        step = heights[k - 1] - heights[k]
        reach = radius - taper * step
        if slab.any():
            support = ((flat[slab] - centre) @ compass).max(0)
            hull = np.where(cosine > 0.1, support[None] / np.maximum(cosine, 0.1), np.inf).min(1)
            hull = np.interp(azimuth, directions, hull, period=2 * np.pi) + offset + loose
            reach = np.maximum(reach, hull)
        # no ledge where the cloth leaves the hips: the radius grows at most by half of the way down
        radius = np.minimum(reach, radius + 0.6 * step) + flare * step
        rows[k, :, 0] = centre[0] + radius * np.sin(azimuth)
        rows[k, :, 2] = centre[1] + radius * np.cos(azimuth)
        rows[k, :, 1] = rim[:, 1] + (low - rim[:, 1]) * down[k]
    return rows


def tube_weights(body: Body, points: np.ndarray, rim_weights: np.ndarray, hip: float) -> np.ndarray:
    """(N, B) skinning of the tube: the hips above, shared between the two thighs below."""
    dense = np.zeros((len(points), len(body.bones)), np.float32)
    depth = np.clip((hip - points[:, 1]) / 2.5, 0, 1)
    follow = 0.15 + 0.75 * depth * depth * (3 - 2 * depth)
    left = np.clip(points[:, 0] / 1.8 + 0.5, 0, 1)
    left = left * left * (3 - 2 * left)
    dense[:, body.bone["upperleg01.L"]] = follow * left
    dense[:, body.bone["upperleg01.R"]] = follow * (1 - left)
    dense[:, body.bone["root"]] = 1 - follow
    blend = np.clip(1 - depth * 2, 0, 1)[:, None] ** 2
    return rim_weights * blend + dense * (1 - blend)
