"""Garments as shops photograph them: on a doll that is cut out of the photo, or laid flat; sleeves hanging or out, on a
light ground, with a soft shadow."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from . import raster
from .curves import smoothstep
from .garments import Garment
from .noise import Field
from .styles import SLEEVES

_LAID = 0.12  # share of garments that are laid flat
_SHOULDERS = 0.4  # by so much broader, in halves of the chest, is the cylinder that shoulders are on
_HIDDEN = 0.04  # of its breadth is left of what is pinned behind a doll
SAMPLES = 2  # per pixel and direction
FRONT, BACK = 1, 2


@dataclass(frozen=True)
class FlatSpec:
    """How a garment is laid down and lit."""

    angles: tuple[float, float]  # degrees, the wearer's right and left sleeve (leg) from its middle place, down (apart)
    over: tuple[bool, bool]  # a sleeve lies on the body's panel, not under it
    tilt: float  # degrees, of the whole
    fill: float  # share of the picture's height or width that the garment takes, whichever is reached first
    shift: tuple[float, float]  # share of the picture, right and down
    boxy: float  # 0 the trunk's panel keeps the body's waist and hips, 1 its sides are straight
    skew: float  # dm sideways for each dm up
    stretch: float  # width times this
    longer: float  # sleeves or legs times this: worn, they bunch at wrist and ankle
    slimmer: float  # width of sleeves times this: worn, they stretch over the arm
    bend: float  # dm, strength of a smooth random deformation
    light: tuple[float, float]  # direction of the shading, right and up
    relief: float  # depth of the folds
    shadow: float  # darkness of the shadow on the ground
    ground: tuple[float, float, float]  # sRGB of the ground
    seed: int
    doll: float = 0.0  # radians by which the sides of the front turn away from the camera; 0 laid flat

    def params(self) -> dict:
        return asdict(self)


def sample_flat(rng: np.random.Generator, kind: str, sleeve: str) -> FlatSpec:
    """Draw how a garment of this kind and sleeve lies: long sleeves mostly hang, short ones stand out a little."""
    long = kind in ("top", "dress") and SLEEVES[sleeve][1] > 0.6
    if kind == "trousers":
        middle = rng.choice([rng.uniform(-5, -1), rng.uniform(-1, 4)], p=[0.75, 0.25])
        angles = tuple(float(np.clip(middle + rng.normal(0, 0.5), -5, 4)) for _ in range(2))
    else:
        if long:
            # cuffs hanging beside the hem, slightly out, or spread
            middle = rng.choice([rng.uniform(34, 43), rng.uniform(20, 34), rng.uniform(-40, 20)], p=[0.6, 0.27, 0.13])
        else:
            middle = rng.choice([rng.uniform(13, 30), rng.uniform(-10, 13), rng.uniform(-40, -10)], p=[0.3, 0.6, 0.1])
        angles = tuple(float(np.clip(middle + rng.normal(0, 2.5), -40, 44)) for _ in range(2))
    doll, stretch, slimmer = _drawn_doll(rng, kind, long)
    grey = float(rng.choice([rng.uniform(0.94, 1.0), rng.uniform(0.8, 0.94)], p=[0.85, 0.15]))
    ground = np.clip(grey + rng.normal(0, 0.006, 3) * (1 if rng.random() < 0.8 else 4), 0, 1)
    return FlatSpec(
        angles=angles,
        over=(bool(rng.random() < 0.5), bool(rng.random() < 0.5)),
        tilt=float(rng.normal(0, 1.2)),
        fill=float(rng.uniform(0.72, 0.96)),
        shift=(float(rng.normal(0, 0.01)), float(rng.normal(0, 0.015))),
        boxy=float(rng.uniform(0.55, 1.0)),
        skew=float(rng.normal(0, 0.012)),
        stretch=stretch,
        slimmer=slimmer,
        longer=float(rng.uniform(1.08, 1.25) if kind == "trousers" else rng.uniform(1.05, 1.3)),
        bend=float(rng.uniform(0.02, 0.09)),
        light=(float(rng.normal(0, 0.7)), float(rng.uniform(0.4, 1.2))),
        relief=float(rng.uniform(0.4, 1.3)),
        shadow=float(rng.uniform(0.0, 0.22)),
        ground=tuple(float(x) for x in ground),
        seed=int(rng.integers(1 << 31)),
        doll=doll,
    )


def _drawn_doll(rng: np.random.Generator, kind: str, long: bool) -> tuple[float, float, float]:
    """How far round the doll the front goes, the width's factor and that of sleeves.

    Beyond a quarter turn what is too wide for a slim doll is pinned behind it. Prints in the middle are then as broad
    as they are worn, the trunk of a top is .5 to .7 torsos broad and its sleeves are seen from the front only.
    """
    flat = rng.random() < _LAID
    if kind == "trousers":  # each leg is round: all of it is seen narrower
        return 0.0, float(rng.uniform(0.8, 0.95) * (1 if flat else rng.uniform(0.7, 0.95))), 1.0
    if flat:
        return 0.0, float(rng.uniform(0.85, 1.1)), float(rng.uniform(0.72, 0.95) if long else rng.uniform(0.8, 1.0))
    turn = rng.uniform(0.9, 1.5) if kind == "skirt" else rng.uniform(1.35, 2.0)
    return (
        float(turn),
        float(rng.uniform(0.95, 1.15)),
        float(rng.uniform(0.55, 0.85) if long else rng.uniform(0.6, 0.9)),
    )


@dataclass(frozen=True)
class Laid:
    """A garment laid flat, and all that the flow needs to know about it."""

    image: np.ndarray  # (H, W, 3) float32 sRGB
    mask: np.ndarray  # (H, W) uint8, 0 or 255
    albedo: np.ndarray  # (H, W, 3) float32 sRGB
    place: np.ndarray  # (V, 2) float32, x, y of every vertex in grid_sample(align_corners=False) units
    spot: np.ndarray  # (S H, S W, 2) float32 dm, the atlas point seen, S samples a pixel
    side: np.ndarray  # (S H, S W) uint8, 0 ground, FRONT or BACK
    step: float  # dm between two samples


def _positions(garment: Garment, spec: FlatSpec) -> np.ndarray:
    """(V, 2) float32 dm, x to the right, y up."""
    style, pattern = garment.style, garment.pattern
    level = _panel_looseness(garment)
    flat = pattern.lay(level, spec.angles).astype(np.float32)
    _lengthen(garment, flat, spec.longer, spec.slimmer)
    if style.kind == "trousers":
        _straighten(garment, flat)
    else:
        flat[:, 0] *= _widening(garment, flat, spec.boxy)
    rng = np.random.default_rng(spec.seed)
    fields = Field(rng), Field(rng)
    u, v = flat[:, 0] * 0.28 + 20, flat[:, 1] * 0.28 + 20
    flat = flat + spec.bend * np.stack([field(u, v) for field in fields], 1)
    flat[:, 0] *= spec.stretch
    if spec.doll:
        _round(garment, flat, spec.doll)
    flat[:, 0] += spec.skew * flat[:, 1]
    angle = np.deg2rad(spec.tilt)
    turn = np.float32([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (flat @ turn.T).astype(np.float32)


def _lengthen(garment: Garment, flat: np.ndarray, times: float, slim: float) -> None:
    """Stretch sleeves and legs along themselves, and make sleeves slimmer; changes ``flat`` in place."""
    pattern = garment.pattern
    if garment.style.kind == "trousers":
        crotch = -0.8
        flat[:, 1] += np.minimum(flat[:, 1] - crotch, 0) * (times - 1)
        return
    end = max(garment.style.sleeve_length, 0.3)
    stations = np.linspace(0.1, 1.0, 19)
    for side in (pattern.points[:, 0] < 0, pattern.points[:, 0] >= 0):
        own = (pattern.arm > 0.25) & side
        along, place = pattern.along[own], flat[own].astype(np.float64)
        start = place[np.abs(along) < 0.06].mean(0)
        reach = place[along > 0.9].mean(0) - start
        axis = reach / np.linalg.norm(reach)
        side_axis = np.array([-axis[1], axis[0]])
        middle, half = np.empty(len(stations)), np.empty(len(stations))
        for k, station in enumerate(stations):
            row = (place[np.abs(along - station) < 0.04] - start) @ side_axis
            middle[k], half[k] = (row.min() + row.max()) / 2, (row.max() - row.min()) / 2
        # straight sides from the upper arm to the cuff, whatever the elbow and the hand do
        upper = np.interp(0.3, stations, half)
        cuff = upper * (0.95 - 0.4 * garment.style.cuff_taper)
        share = np.clip((stations - 0.3) / max(end - 0.3, 0.1), 0, 1)
        wanted = np.where(stations > 0.3, upper + (cuff - upper) * share, half) * slim
        centre = np.where(stations > 0.3, np.interp(0.3, stations, middle) * (1 - share), middle)
        across = (place - start) @ side_axis
        moved = np.interp(along, stations, centre) + (across - np.interp(along, stations, middle)) * np.interp(
            along, stations, wanted / half
        )
        surely = smoothstep(0.25, 0.5, pattern.arm[own]) * smoothstep(0.02, 0.25, along)
        longer = (times - 1) * np.clip(along, 0, 1.05) * smoothstep(0.25, 0.5, pattern.arm[own])
        flat[own] += ((moved - across) * surely)[:, None] * side_axis + longer[:, None] * reach


def _straighten(garment: Garment, flat: np.ndarray) -> None:
    """Give trouser legs the straight sides of their cut, as wide as it is; changes ``flat`` in place."""
    pattern, style = garment.pattern, garment.style
    height = pattern.points[:, 1]
    stations = np.arange(-7.25, -0.9, 0.25)
    for side in (pattern.points[:, 0] < 0, pattern.points[:, 0] >= 0):
        leg = side & (height < -0.85)
        low, high = np.empty(len(stations)), np.empty(len(stations))
        for k, station in enumerate(stations):
            row = flat[leg & (np.abs(height - station) < 0.2), 0]
            low[k], high[k] = row.min(), row.max()
        thigh = len(stations) - 2
        centre, half = (low + high) / 2, (high - low) / 2
        share = (stations[thigh] - stations) / (stations[thigh] - stations[0])
        # the middle line of a leg is straight; its width goes evenly from the thigh's to the cuff's
        cuff = np.interp(-5.5, stations, half) + 0.8 * style.leg_loose
        wanted = half[thigh] * (1 - share) + cuff * share + 0.5 * style.loose * (1 - share)
        middle = centre[thigh] + (np.interp(-5.5, stations, centre) - centre[thigh]) * share / share[7]
        blend = smoothstep(-0.9, -2.0, height[leg])
        at = height[leg]
        x = flat[leg, 0]
        moved = np.interp(at, stations, middle) + (x - np.interp(at, stations, centre)) * np.interp(
            at, stations, wanted / half
        )
        flat[leg, 0] = x + (moved - x) * blend


def _widening(garment: Garment, flat: np.ndarray, boxy: float) -> np.ndarray:
    """(V,) by which the trunk's panel is widened: the cut of a shirt is straighter than the body it stretches over,
    and a flared hem is wider than the panel that was laid flat."""
    pattern, style = garment.pattern, garment.style
    height = pattern.points[:, 1]
    trunk = pattern.arm < 0.02
    stations = np.arange(-7.0, 3.3, 0.25)
    half = np.array([np.abs(flat[trunk & (np.abs(height - y) < 0.2), 0]).max() for y in stations])
    chest = half[-2]
    hips = half[np.searchsorted(stations, 0.4)]
    if style.kind == "skirt":
        target = half.copy()
    elif style.kind == "dress":
        target = np.where(stations > 0.4, chest + (hips - chest) * smoothstep(3.0, 0.4, stations), half)
    else:
        target = np.full(len(stations), chest)
    factor = (target / half) ** (boxy * (1 - 0.7 * style.cinch))
    grown = half * factor + 0.5 * np.pi * style.flare * 0.55 * np.clip(1.4 - stations, 0, None)
    wider = np.interp(height, stations, grown / half)
    return np.where(trunk, wider, 1 + (wider - 1) * smoothstep(3.3, 2.6, height)).astype(np.float32)


def _round(garment: Garment, flat: np.ndarray, turn: float) -> None:
    """Show the trunk as a cylinder seen from the front; changes ``flat`` in place."""
    pattern = garment.pattern
    height, trunk = pattern.points[:, 1], pattern.arm < 0.02
    stations = np.arange(-7.0, 3.1, 0.25)
    half = np.array([np.abs(flat[trunk & (np.abs(height - y) < 0.2), 0]).max() for y in stations])
    # Shoulders are less round than what is below them.
    half = np.interp(height, stations, half) * (1 + _SHOULDERS * smoothstep(3.0, 4.6, height))

    def rounded(x: np.ndarray, half: np.ndarray) -> np.ndarray:
        seen = half * min(1.0, 0.5 * np.pi / turn)
        inside = np.clip(x, -seen, seen)
        # What is pinned behind lies at the edge of what is seen.
        pinned = np.clip(x, -half, half) - inside
        return half / turn * np.sin(inside * turn / half) + _HIDDEN * pinned + (x - inside - pinned)

    x = flat[:, 0]
    sleeve = smoothstep(0.05, 0.45, pattern.along) * smoothstep(0.02, 0.3, pattern.arm)
    turned = rounded(x, half)
    flat[:, 0] = turned + (x - turned) * sleeve  # arms hang from the shoulders, beside a slim trunk


def _panel_looseness(garment: Garment) -> np.ndarray:
    """The looseness to lay each vertex with: what it is worn with, made smooth."""
    loose = garment.loose.astype(np.float32)
    for _ in range(6):
        loose = 0.5 * loose + 0.5 * (garment.pattern.smooth @ loose)
    return loose


def lay(garment: Garment, spec: FlatSpec, size: tuple[int, int]) -> Laid:
    """Lay a garment down and photograph it from above.

    Args:
        garment: what.
        spec: how.
        size: height and width in pixels.
    """
    height, width = size[0] * SAMPLES, size[1] * SAMPLES
    pattern = garment.pattern
    flat = _positions(garment, spec)
    seen = flat[garment.edge > -0.02]
    low, high = seen.min(0), seen.max(0)
    scale = spec.fill * min(height / (high - low)[1], width / (high - low)[0])
    room = (np.float32([width, height]) - (high - low) * scale) / 2
    move = np.clip(np.float32(spec.shift) * [width, height], -0.9 * room, 0.9 * room)
    centre = (low + high) / 2
    x = width / 2 + move[0] + (flat[:, 0] - centre[0]) * scale
    y = height / 2 + move[1] - (flat[:, 1] - centre[1]) * scale
    sleeve = smoothstep(0.0, 0.12, pattern.along) * smoothstep(0.2, 0.5, pattern.arm)
    over = np.where(pattern.points[:, 0] < 0, spec.over[0], spec.over[1])
    layer = 10 + sleeve * np.where(over, -0.3, 0.3)
    buffer = raster.Buffer.empty(height, width)
    for side, part in ((FRONT, slice(0, pattern.front)), (BACK, slice(pattern.front, None))):
        # a sleeve that lies on the body's panel has its own back there too, just below its front
        depth = layer if side == FRONT else np.where(over, 11 - sleeve * 1.15, 11)
        screen = np.stack([x, y, depth], 1).astype(np.float32)
        faces = pattern.faces[part]
        # panels are drawn as they face; what is folded under is left out
        sign = 1 if _area(screen, faces) > 0 else -1
        base = 0 if side == FRONT else pattern.front
        raster.fill(buffer, screen, faces, base, edge=garment.edge, keep=sign)
    values = np.concatenate([garment.atlas, layer[:, None]], 1)
    spot = raster.interpolate(buffer, pattern.faces, values)
    side = np.where(buffer.triangle < 0, 0, np.where(buffer.triangle < pattern.front, FRONT, BACK)).astype(np.uint8)
    cloth = sample(garment, spot, side)
    covered = (side > 0).astype(np.float32)
    alpha = cv2.resize(covered, size[::-1], interpolation=cv2.INTER_AREA)
    image, albedo = _photograph(garment, spec, cloth, spot, side, buffer.depth, alpha, size)
    place = np.stack([x / width * 2 - 1, y / height * 2 - 1], 1).astype(np.float32)
    mask = np.where(alpha >= 0.5, 255, 0).astype(np.uint8)
    return Laid(image, mask, albedo, place, spot[..., :2], side, 1 / float(scale))


def _area(screen: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (screen[faces[:, k], :2] for k in range(3))
    one, two = b - a, c - a
    return float((one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).sum())


def sample(garment: Garment, spot: np.ndarray, side: np.ndarray) -> np.ndarray:
    """The garment's texture at atlas points: (H, W, 5) float32, 0 where ``side`` is 0."""
    half = garment.texture.shape[0] // 2
    column = (spot[..., 0] - garment.origin[0]) * np.float32(garment.scale) - 0.5
    row = (garment.origin[1] - spot[..., 1]) * np.float32(garment.scale) - 0.5
    row = np.clip(row, 0, half - 1) + np.where(side == BACK, half, 0)
    shown = np.concatenate(
        [
            cv2.remap(
                np.ascontiguousarray(garment.texture[..., k : k + 4][..., : min(4, 5 - k)]),
                column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            ).reshape(*column.shape, -1)
            for k in (0, 4)
        ],
        2,
    )  # fmt: skip
    return shown * (side > 0)[..., None]


def _shrink(values: np.ndarray, covered: np.ndarray, alpha: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mean over a pixel's covered samples."""
    total = cv2.resize(values * covered, size[::-1], interpolation=cv2.INTER_AREA)
    return total / np.maximum(alpha, 1e-3).reshape(*alpha.shape, *[1] * (total.ndim - 2))


def _photograph(garment, spec, cloth, spot, side, depth, alpha, size) -> tuple[np.ndarray, np.ndarray]:
    covered = (side > 0).astype(np.float32)[..., None]
    shown = _shrink(cloth[..., :4], covered, alpha, size)
    up = _shrink(cloth[..., 4], covered[..., 0], alpha, size)
    where = _shrink(spot, covered, alpha, size)
    unit = size[0] / 512
    rng = np.random.default_rng([spec.seed, 1])
    one, two = Field(rng), Field(rng)
    x, y = where[..., 0], where[..., 1]
    drape = one(x * 1.0 + 9, y * 0.42 + 0.2 * x) + 0.5 * two(x * 2.2 + 3, y * 1.0 - 0.5 * x)
    drape = cv2.GaussianBlur(drape.astype(np.float32), (0, 0), 1.5 * unit) * (0.055 * spec.relief)
    per = 0.02 * size[0]  # pixels of a dm, about
    right = cv2.Sobel(drape, cv2.CV_32F, 1, 0, ksize=3) / 8 * per + shown[..., 3]
    rise = -cv2.Sobel(drape, cv2.CV_32F, 0, 1, ksize=3) / 8 * per + up
    light = np.float32(spec.light)
    shade = 1 + 0.55 * np.clip(-(right * light[0] + rise * light[1]) * -1, -0.55, 0.45)
    # cloth curves down to the ground at its rim; a layer above throws a little shade on the one below
    inner = cv2.GaussianBlur((alpha > 0.5).astype(np.float32), (0, 0), 4 * unit)
    shade *= 0.86 + 0.14 * np.clip((inner - 0.5) * 2.2, 0, 1)
    layer = cv2.resize(np.where(side > 0, depth, 12.0).astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    for radius, strength in ((2.0, 0.25), (6.0, 0.25)):
        shade *= 1 - strength * np.clip(layer - cv2.GaussianBlur(layer, (0, 0), radius * unit), 0, 0.5) * (alpha > 0.5)
    back = cv2.resize((side == 2).astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    shade *= 1 - 0.28 * back
    ground = np.ones((*size, 3), np.float32) * np.float32(spec.ground)
    dark = cv2.GaussianBlur(alpha, (0, 0), 5 * unit)
    move = np.float32([[1, 0, -2.5 * light[0] * unit], [0, 1, 3.0 * unit]])
    dark = cv2.warpAffine(dark, move, size[::-1], borderMode=cv2.BORDER_REPLICATE)
    ground *= (1 - spec.shadow * dark)[..., None]
    cover = alpha[..., None]
    albedo = np.clip(shown[..., :3], 0, 1)
    image = ground * (1 - cover) + np.clip(albedo * shade[..., None], 0, 1) * cover
    plain = np.ones_like(ground) * np.float32(spec.ground)
    return image, plain * (1 - cover) + albedo * cover
