"""Garment styles: what is cut out of a shell, as signed distances to the edges on the canonical body.

Every distance is in dm, positive inside the garment. Heights refer to the canonical body: neck 5.8, chest 3.6, waist
1.2, hip 0, crotch -1, knee -3.6, ankle -7.3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from .curves import smoothstep
from .mesh import vertex_normals
from .shells import Pattern

NONE = 9.0  # dm, "no such edge here"
ARM_LENGTH = 5.2  # dm, from the shoulder joint to the wrist of the canonical body
NECKLINES = ("crew", "v", "scoop", "boat", "square", "polo", "high")
HEM_LENGTHS = {"crop": (0.75, 1.5), "waist": (0.1, 0.7), "hip": (-0.75, 0.05), "tunic": (-2.6, -1.3)}
# sleeve families and how far down the arm they reach, 0 shoulder .. 1 wrist
SLEEVES = {
    "strap": (0.0, 0.0),
    "tank": (0.0, 0.0),
    "cap": (0.10, 0.18),
    "short": (0.22, 0.42),
    "half": (0.46, 0.62),
    "three-quarter": (0.68, 0.82),
    "long": (0.9, 0.97),
}
LEGS = {
    "hot pants": (-1.75, -1.35),
    "shorts": (-3.2, -1.9),
    "bermuda": (-4.3, -3.4),
    "capri": (-6.2, -5.0),
    "long": (-7.1, -6.6),
}
SKIRTS = {"mini": (-2.6, -1.8), "knee": (-4.2, -3.0), "midi": (-5.8, -4.6), "maxi": (-6.9, -6.0)}


@dataclass(frozen=True)
class Style:
    """The cut of one garment."""

    kind: str  # top, trousers, skirt or dress
    family: str  # what is held out as one: such as "short crew hip" or "midi A-line"
    loose: float  # dm between skin and cloth on the body or the upper leg
    flare: float  # dm wider for each dm down, below the waist
    sleeve: str = "tank"  # key of SLEEVES
    sleeve_length: float = 0.0  # 0 shoulder .. 1 wrist
    sleeve_loose: float = 0.1  # dm
    cuff_taper: float = 0.5  # share by which the sleeve narrows to the cuff
    neckline: str = "crew"
    neck_width: float = 1.0  # times the usual
    neck_depth: float = 0.0  # dm, V and square: how far below the neck's pit
    strap: float = 1.1  # dm from the middle to the armhole's edge (strap: to the strap's middle)
    hem: float = -0.5  # dm, height of the lower edge
    hem_curve: float = 0.0  # dm, the sides above the middle (shirt tails), or below
    waist: float = 1.3  # dm, height of the upper edge of trousers and skirts
    cinch: float = 0.0  # share of the looseness taken away at the waist
    leg_loose: float = 0.1  # dm below the knee

    @property
    def shell(self) -> str:
        """The pattern it is cut from."""
        return "trousers" if self.kind == "trousers" else "robe"

    @property
    def category(self) -> str:
        return {"top": "upper_body", "dress": "dresses"}.get(self.kind, "lower_body")

    def params(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Edges:
    """Signed distances of every vertex of a shell to a garment's edges, (V,) float32 dm each."""

    neck: np.ndarray
    hem: np.ndarray
    cuff: np.ndarray
    waist: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """The least of them: negative is cut away."""
        return np.minimum(np.minimum(self.neck, self.hem), np.minimum(self.cuff, self.waist)).astype(np.float32)


def _neck_ring(
    points: np.ndarray, normals: np.ndarray, width: float, front: float, back: float, nape: float
) -> np.ndarray:
    """Distance to a closed curve round the neck: where a tilted elliptic cylinder meets the shell, and below the
    height ``nape`` at the back."""
    centre_y, centre_z, tilt = 5.75, 0.15, 0.45
    x, dy = points[:, 0], points[:, 1] - centre_y
    dz = points[:, 2] - (centre_z + tilt * dy)
    radius = np.where(dz > 0, front, back)
    q = np.sqrt((x / width) ** 2 + (dz / radius) ** 2) + 1e-6
    gradient = np.stack([x / width**2, -tilt * dz / radius**2, dz / radius**2], 1) / q[:, None]
    gradient -= (gradient * normals).sum(1, keepdims=True) * normals  # along the surface only
    distance = (q - 1) / np.maximum(np.linalg.norm(gradient, axis=1), 0.25)
    distance = np.where(points[:, 2] < 0, np.maximum(distance, nape - 0.2 - points[:, 1]), distance)
    behind = nape + 0.9 * np.maximum(points[:, 2], 0) - points[:, 1]
    return np.where(points[:, 1] > 2.4, np.minimum(distance, behind), NONE)


def _neck(style: Style, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    kind, wide, deep = style.neckline, style.neck_width, style.neck_depth
    if kind == "high":
        return np.where(points[:, 1] > 4.5, 6.12 - points[:, 1], NONE)
    if kind == "polo":
        return _neck_ring(points, normals, 0.98 * wide, 1.14, 0.66, 6.0)
    if kind == "boat":
        return _neck_ring(points, normals, 1.6 * wide, 1.0, 0.74, 5.86)
    if kind == "scoop":
        return _neck_ring(points, normals, 1.18 * wide, 1.45 + deep, 0.74, 5.8)
    ring = _neck_ring(points, normals, 1.08 * wide, 1.08, 0.68, 5.93)
    if kind == "crew":
        return ring
    front = points[:, 2] > -0.25
    half, pit = 1.08 * wide, 5.3
    if kind == "v":
        drop = deep + 0.62
        line = pit + 0.62 - drop * (1 - np.abs(points[:, 0]) / half)
        cut = (line - points[:, 1]) / np.hypot(1, drop / half)
    else:  # square
        cut = np.maximum(pit - deep - points[:, 1], np.abs(points[:, 0]) - half)
    return np.minimum(ring, np.where(front & (points[:, 1] > 1.8), cut, NONE))


def _beside(points: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Distance of points (N, 2) to a polyline (K, 2) that falls from top to bottom, positive on its left."""
    edge = np.interp(points[:, 1], curve[::-1, 1], curve[::-1, 0])
    inside = points[:, 0] < edge
    close = np.abs(points[:, 0] - edge) < 1.5  # the others only need their sign
    start, step = curve[:-1], np.diff(curve, axis=0)
    nearest = np.full(len(points), np.inf)
    for a, d in zip(start, step, strict=True):
        away = points[close] - a
        away -= np.clip(away @ d / (d @ d), 0, 1)[:, None] * d
        nearest[close] = np.minimum(nearest[close], np.hypot(away[:, 0], away[:, 1]))
    nearest[~close] = 1.5
    return np.where(inside, nearest, -nearest)


def _armhole(style: Style, pattern: Pattern) -> np.ndarray:
    """One smooth curve on each panel laid flat: beside the strap, round to the side seam under the arm, and on between
    body and sleeve."""
    flat = pattern.panels[1, pattern.angles.index(0.0)]
    strap = min(style.strap, 2.2)
    heights = [-4.0, 0.0, 2.3, 3.05, 3.3, 3.6, 4.1, 4.7, 5.5, 7.0]
    across = [7.0, 4.6, 3.15, 2.66, 2.46, 0.5 * strap + 1.1, strap + 0.1, strap, strap + 0.05, strap + 0.3]
    place = np.linspace(heights[0], heights[-1], 45)
    curve = np.stack([PchipInterpolator(heights, across)(place), place], 1)[::-1]
    return _beside(np.stack([np.abs(flat[:, 0]), flat[:, 1]], 1).astype(np.float64), curve)


def _straps(style: Style, pattern: Pattern) -> np.ndarray:
    """A bodice cut straight above the bust, held by two thin straps."""
    y, across, arm = pattern.points[:, 1], np.abs(pattern.points[:, 0]), pattern.arm
    bodice = np.minimum(4.4 - 0.3 * style.neck_depth - y - 0.25 * np.abs(across - 0.75), 1.0)
    strap = np.where(y > 3.4, 0.14 - np.abs(across - style.strap), -1.0)
    distance = np.maximum(bodice, strap)
    distance = np.where(y > 2.2, distance, NONE)
    return np.minimum(distance, np.where(arm < 0.9, _armhole(replace(style, strap=2.1), pattern), -1.0))


def edges(style: Style, pattern: Pattern) -> Edges:
    """Where ``style`` is cut out of its shell."""
    points = pattern.points
    x, y, _ = points.T
    none = np.full(len(points), NONE, np.float32)
    below = np.where(pattern.arm > 0.3, -1.0, 1.0)  # arms have no part in what is worn below the waist
    if style.kind == "trousers":
        return Edges(none, y - style.hem, none, style.waist - y)
    hem = y - style.hem - style.hem_curve * np.clip(np.abs(x) / 1.6, 0, 1) ** 2
    if style.kind == "skirt":
        waist = np.where((pattern.arm > 0.3) | (np.abs(x) > 3.2) & (y > 0.5), -1.0, style.waist - y)
        return Edges(none, hem, none, np.minimum(waist, below * NONE))
    hem = np.where(pattern.arm > 0.25, NONE, hem)
    normals = vertex_normals(points, pattern.faces)
    if style.sleeve == "strap":
        return Edges(none, hem, _straps(style, pattern), none)
    neck = _neck(style, points, normals)
    for _ in range(3):  # rounds off what the mesh is too coarse for
        neck = np.where(np.abs(neck) < 0.6, 0.5 * neck + 0.5 * (pattern.smooth @ neck), neck)
    if style.sleeve == "tank":
        return Edges(neck, hem, _armhole(style, pattern), none)
    cuff = np.where(pattern.arm > 0.25, (style.sleeve_length - pattern.along) * ARM_LENGTH, NONE)
    return Edges(neck, hem, cuff, none)


def looseness(style: Style, pattern: Pattern) -> np.ndarray:
    """(V,) float32 dm between skin and cloth, beyond the least offset, before relaxing."""
    y = pattern.points[:, 1]
    if style.kind == "trousers":
        lower = smoothstep(-1.5, -4.0, y)
        return (style.loose * smoothstep(1.3, -0.5, y) * (1 - lower) + style.leg_loose * lower).astype(np.float32)
    arm = smoothstep(0.25, 0.6, pattern.arm)
    t = np.clip(pattern.along, 0, 1)
    end = max(style.sleeve_length, 0.2)
    sleeve = style.sleeve_loose * np.clip(t * 3.0, 0, 1) * (1 - style.cuff_taper * smoothstep(0.3, 1.0, t / end))
    torso = style.loose * np.clip((5.0 - y) / 2.4, 0, 1)
    torso *= 1 - style.cinch * np.exp(-(((y - 1.35) / 0.8) ** 2))
    torso += style.flare * np.clip(1.4 - y, 0, None) * 0.8
    if style.neckline == "high":
        torso *= smoothstep(5.7, 4.6, y)
    return (torso * (1 - arm) + sleeve * arm).astype(np.float32)
