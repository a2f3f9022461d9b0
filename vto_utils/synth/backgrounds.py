"""What is behind the person: mostly a photo studio, sometimes a wall, a room, a street.

A background is painted on a grid of fixed size and brought to the size asked for, so that it is the same picture
at every size. Colours are sRGB-encoded RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from vto_utils.synth.colours import Colour

KINDS = ("studio", "colour", "wall", "room", "street")
_GRID = (256, 192)  # rows, columns of the smooth parts
_FINE = (384, 288)  # of walls that have a texture


@dataclass(frozen=True)
class BackgroundSpec:
    """One background; ``dataclasses.asdict`` makes it JSON, :meth:`from_dict` reads it back.

    Places and lengths are parts of the picture's width and height, from the top left.
    """

    kind: str = "studio"  # of KINDS
    colour: Colour = (0.93, 0.93, 0.925)  # of the wall
    floor_colour: Colour = (0.9, 0.9, 0.895)
    light: tuple[float, float] = (0.5, 0.4)  # where the wall is brightest
    glow: float = 0.04  # how much brighter there than at the edges
    slope: tuple[float, float] = (0.0, 0.0)  # change of brightness from left to right and from top to bottom
    bend: float = 0.03  # height of the transition from wall to floor; small: an edge
    baseboard: float = 0.0  # height of a skirting board
    texture: str = "none"  # of a wall: none, plaster, bricks, panels, concrete, curtain
    contrast: float = 0.05  # of the texture
    blur: float = 0.02  # of the things in rooms and streets
    seed: int = 0

    @classmethod
    def from_dict(cls, values: Mapping) -> BackgroundSpec:
        """The inverse of ``dataclasses.asdict``, also after a trip through JSON."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _tinted(light: float, warmth: float, green: float = 0.0) -> Colour:
    """A grey of brightness ``light`` that leans to warm (positive) or cold."""
    colour = np.clip((light * (1 + warmth), light * (1 + 0.2 * warmth + green), light * (1 - warmth)), 0, 1)
    return tuple(round(float(value), 4) for value in colour)


def sample_background(rng: np.random.Generator) -> BackgroundSpec:
    """Draw a background: 85 % light studios, the rest coloured paper, walls, rooms and streets."""
    kind = KINDS[int(rng.choice(5, p=(0.85, 0.05, 0.04, 0.035, 0.025)))]
    warmth = float(rng.normal(0, 0.012))
    seed = int(rng.integers(2**31))
    light = (float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.15, 0.6)))
    slope = (float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02)))
    draw, shade = rng.random(4), rng.uniform(-0.05, 0.03)
    if kind == "studio":
        level = float(
            rng.choice((rng.uniform(0.94, 1.0), rng.uniform(0.84, 0.94), rng.uniform(0.6, 0.84)), p=(0.5, 0.38, 0.12))
        )
        if draw[0] < 0.15:
            warmth = float(rng.uniform(0.01, 0.035))  # cream
        edge = draw[1] < 0.25
        return BackgroundSpec(
            kind, _tinted(level, warmth), _tinted(min(1.0, level * (1 + shade)), warmth), light,
            float(rng.uniform(0.0, 0.09)), slope, float(rng.uniform(0.003, 0.01) if edge else rng.uniform(0.02, 0.12)),
            float(rng.uniform(0.02, 0.035)) if edge and draw[2] < 0.3 else 0.0, "none", 0.0, 0.0, seed,
        )  # fmt: skip
    hue, strength = rng.uniform(0, 2 * np.pi), rng.uniform(4, 34 if kind == "colour" else 16)
    lab = np.array([[(rng.uniform(45, 92), strength * np.cos(hue), strength * np.sin(hue))]], np.float32)
    colour = np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)[0, 0], 0, 1)
    colour = tuple(round(float(value), 4) for value in colour)
    if kind == "colour":
        floor = tuple(round(float(min(1.0, value * (1 + shade))), 4) for value in colour)
        return BackgroundSpec(
            kind, colour, floor, light, float(rng.uniform(0.03, 0.12)), slope, float(rng.uniform(0.01, 0.1)), seed=seed
        )
    floors = ((0.58, 0.45, 0.33), (0.42, 0.33, 0.26), (0.62, 0.6, 0.57), (0.5, 0.5, 0.5), (0.75, 0.7, 0.63))
    if kind == "street":
        floors = ((0.45, 0.45, 0.45), (0.55, 0.54, 0.52), (0.36, 0.36, 0.37))
    floor = np.array(floors[int(rng.integers(len(floors)))]) * rng.uniform(0.85, 1.15)
    texture = ("none", "plaster", "bricks", "panels", "concrete", "curtain")[
        int(rng.choice(6, p=(0.15, 0.3, 0.15, 0.15, 0.15, 0.1)))
    ]
    return BackgroundSpec(
        kind,
        colour,
        tuple(round(float(value), 4) for value in np.clip(floor, 0, 1)),
        light,
        float(rng.uniform(0.05, 0.25)),
        slope,
        float(rng.uniform(0.002, 0.006)),
        float(rng.uniform(0.02, 0.04)) if draw[2] < 0.5 else 0.0,
        texture if kind == "wall" else "none",
        float(rng.uniform(0.03, 0.12)),
        float(rng.uniform(0.008, 0.035)),
        seed,
    )


def background(spec: BackgroundSpec, size: tuple[int, int], floor: float | None = None) -> np.ndarray:
    """Paint a background.

    Args:
        spec: what to paint.
        size: height and width in pixels.
        floor: where the wall meets the floor, as a part of the height from the top (may lie outside [0, 1]);
            None: no floor is seen.

    Returns:
        (H, W, 3) float32 sRGB-encoded RGB in [0, 1].
    """
    rng = np.random.default_rng([spec.seed, 5])
    grid = _FINE if spec.texture != "none" else _GRID
    down = (np.arange(grid[0], dtype=np.float32)[:, None] + 0.5) / grid[0]
    right = (np.arange(grid[1], dtype=np.float32)[None] + 0.5) / grid[1]
    picture = np.empty((*grid, 3), np.float32)
    picture[:] = spec.colour
    if spec.texture != "none":
        picture *= _texture(spec, rng, down, right)[..., None]
    floor_at = np.inf if floor is None else float(floor)
    if spec.kind == "street":
        picture = _street(spec, rng, down, min(floor_at, 1.2))
    elif spec.kind == "room":
        picture = _furnished(spec, rng, picture, min(floor_at, 1.2))
    if np.isfinite(floor_at) and spec.kind != "street":
        _lay_floor(spec, picture, down, right, floor_at)
    away = np.hypot((right - spec.light[0]) * np.float32(0.75), down - spec.light[1])
    bright = 1 + np.float32(spec.glow) * (np.float32(0.35) - away)
    bright = (
        bright
        + (right - np.float32(0.5)) * np.float32(spec.slope[0])
        + (down - np.float32(0.5)) * np.float32(spec.slope[1])
    )
    picture *= bright[..., None]
    if size != grid:
        shrink = size[0] < grid[0]
        picture = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    return np.clip(picture, 0, 1, out=picture)


def _lay_floor(spec: BackgroundSpec, picture: np.ndarray, down: np.ndarray, right: np.ndarray, at: float) -> None:
    """The floor: a soft bend of paper in a studio, a board and an edge in a room."""
    pixel = 1 / picture.shape[0]
    amount = np.clip((down - np.float32(at)) / np.float32(max(spec.bend, pixel)) + np.float32(0.5), 0, 1)
    amount = (amount * amount * (3 - 2 * amount))[..., None]
    depth = np.clip((down - np.float32(at)) / np.float32(max(1.05 - at, 0.05)), 0, 1)
    tone = 0.97 + 0.05 * depth  # nearer is brighter
    if spec.baseboard:
        board = np.clip((down - np.float32(at - spec.baseboard)) / np.float32(pixel), 0, 1)[..., None]
        line = np.clip(1 - np.abs(down - np.float32(at - spec.baseboard)) / np.float32(1.2 * pixel), 0, 1)[..., None]
        picture += (np.float32(min(1.0, max(spec.colour) * 1.03)) - picture) * board
        picture *= 1 - 0.08 * line
    floor = np.asarray(spec.floor_colour, np.float32) * tone[..., None]
    if spec.kind in ("wall", "room") and spec.seed % 2:  # boards that run away from the camera
        turn = (right - np.float32(0.5)) / (depth + np.float32(0.35)) * 9
        board = np.floor(turn)
        tint = np.sin(board * np.float32(12.9)) * np.float32(0.05)
        gap = np.clip(
            1 - np.abs(turn - board - np.float32(0.5) - np.float32(0.47)) / np.float32(0.05), 0, 1
        ) * np.float32(0.12)
        floor = floor * (1 + tint - gap)[..., None]
    picture += (floor - picture) * amount
    if spec.kind != "studio" or spec.bend < 0.012:  # the corner is a little darker
        near = np.exp(-np.square((down - np.float32(at)) / np.float32(0.02)))
        picture *= (1 - np.float32(0.06) * near)[..., None]


def _noise(rng: np.random.Generator, cells: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    nodes = rng.standard_normal(cells, np.float32)
    return cv2.resize(nodes, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _texture(spec: BackgroundSpec, rng: np.random.Generator, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Brightness of a wall's surface around 1, (H, W)."""
    shape = (down.shape[0], right.shape[1])
    strength = np.float32(spec.contrast)
    if spec.texture == "plaster":
        return 1 + strength * (0.3 * _noise(rng, (160, 120), shape) + 0.3 * _noise(rng, (20, 15), shape))
    if spec.texture == "concrete":
        spots = (
            _noise(rng, (200, 150), shape) * 0.25 + _noise(rng, (12, 9), shape) * 0.4 + _noise(rng, (4, 3), shape) * 0.4
        )
        return 1 + strength * spots
    if spec.texture == "curtain":
        folds = right * 40 + 1.2 * _noise(rng, (2, 12), shape)
        return 1 + strength * (np.sin(folds) + 0.4 * np.sin(folds * 2.3 + 1)) * 0.8
    if spec.texture == "panels":
        turn = right * np.float32(rng.integers(3, 14))
        edge = np.minimum(turn - np.floor(turn), np.ceil(turn) - turn)
        groove = np.clip(1 - edge / np.float32(0.025), 0, 1)
        return (1 - strength * 1.5 * groove) * np.ones_like(down)
    rows = np.float32(rng.integers(18, 34))
    course = np.floor(down * rows)
    turn = right * rows * np.float32(0.3) + np.float32(0.5) * np.mod(course, 2)
    high = down * rows - course
    wide = turn - np.floor(turn)
    joint = np.minimum(np.minimum(high, 1 - high), np.minimum(wide, 1 - wide) * np.float32(3.0))
    tone = np.sin(np.floor(turn) * np.float32(57.3) + course * np.float32(12.7))
    brick = np.clip(joint / np.float32(0.09), 0, 1)
    return 1 + strength * (0.5 * tone * brick - 1.2 * (1 - brick) + 0.2 * _noise(rng, (160, 120), shape))


def _softened(picture: np.ndarray, blur: float) -> np.ndarray:
    """Out of focus; the blur is a part of the height."""
    small = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.8, blur * small.shape[0]), borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)


def _rectangle(picture: np.ndarray, left: float, top: float, right: float, bottom: float, colour: np.ndarray) -> None:
    rows, columns = picture.shape[:2]
    area = (
        np.round(np.clip((top * rows, bottom * rows), 0, rows)).astype(int),
        np.round(np.clip((left * columns, right * columns), 0, columns)).astype(int),
    )
    picture[area[0][0] : area[0][1], area[1][0] : area[1][1]] = colour


def _furnished(spec: BackgroundSpec, rng: np.random.Generator, wall: np.ndarray, floor: float) -> np.ndarray:
    """Things in a room, out of focus: a window or a door, a picture, furniture, a plant."""
    picture = wall.copy()
    colour = np.array(spec.colour, np.float32)
    foot = min(floor, 1.0)
    if rng.random() < 0.6:
        left, top = rng.uniform(-0.15, 0.75), rng.uniform(0.0, 0.2)
        wide, tall = rng.uniform(0.25, 0.5), rng.uniform(0.35, 0.6)
        _rectangle(
            picture, left - 0.02, top - 0.015, left + wide + 0.02, top + tall + 0.015, np.minimum(colour * 1.1, 1)
        )
        _rectangle(picture, left, top, left + wide, top + tall, np.float32((0.93, 0.96, 0.99)) * rng.uniform(0.92, 1))
        _rectangle(
            picture, left + wide / 2 - 0.008, top, left + wide / 2 + 0.008, top + tall, np.minimum(colour * 1.05, 1)
        )
    for _ in range(int(rng.integers(1, 3))):
        left, top, wide, tall = (
            rng.uniform(-0.1, 0.9),
            rng.uniform(0.05, 0.35),
            rng.uniform(0.12, 0.25),
            rng.uniform(0.1, 0.2),
        )
        _rectangle(
            picture,
            left - 0.012,
            top - 0.009,
            left + wide + 0.012,
            top + tall + 0.009,
            rng.uniform(0.1, 0.9) * np.ones(3),
        )
        _rectangle(
            picture, left, top, left + wide, top + tall, np.clip(colour * 0.6 + 0.4 * rng.uniform(0.3, 0.9, 3), 0, 1)
        )
    for _ in range(int(rng.integers(1, 4))):
        left, wide, tall = rng.uniform(-0.2, 0.9), rng.uniform(0.2, 0.5), rng.uniform(0.12, 0.35)
        tone = rng.uniform(0.2, 0.8) * np.array((1, rng.uniform(0.82, 1), rng.uniform(0.68, 1)))
        _rectangle(picture, left, foot - tall, left + wide, foot, np.clip(tone, 0, 1))
    if rng.random() < 0.5:
        centre = np.array((rng.choice((rng.uniform(0, 0.2), rng.uniform(0.8, 1))), foot - rng.uniform(0.2, 0.4)))
        for _ in range(14):
            place = (centre + rng.normal(0, (0.05, 0.06), 2)) * picture.shape[1::-1]
            green = (rng.uniform(0.15, 0.35), rng.uniform(0.32, 0.5), rng.uniform(0.15, 0.3))
            cv2.circle(picture, tuple(int(v) for v in place), int(rng.uniform(4, 11)), green, -1)
    return _softened(picture, spec.blur)


def _street(spec: BackgroundSpec, rng: np.random.Generator, down: np.ndarray, floor: float) -> np.ndarray:
    """Sky, houses, trees and a road, far out of focus."""
    picture = np.empty((*_GRID, 3), np.float32)
    sky = np.float32((0.86, 0.91, 0.96)) * np.float32(rng.uniform(0.85, 1.03))
    picture[:] = sky * (np.float32(0.94) + np.float32(0.08) * down)[..., None]
    horizon = min(floor, 1.0) - rng.uniform(0.02, 0.12)
    left = rng.uniform(-0.3, 0.0)
    while left < 1:
        wide, top = rng.uniform(0.15, 0.4), rng.uniform(-0.2, 0.45) * horizon
        wall = np.clip(np.array(spec.colour) * rng.uniform(0.5, 1.05) + rng.normal(0, 0.03, 3), 0.05, 0.95)
        _rectangle(picture, left, top, left + wide, horizon, wall)
        window = wall * rng.uniform(0.45, 0.75)
        count = int(rng.integers(2, 4))
        for row in np.arange(max(top, 0) + 0.05, horizon - 0.1, 0.13):
            for column in range(count):
                x = left + wide * (column + 0.3) / count
                _rectangle(picture, x, row, x + wide * 0.4 / count, row + 0.07, window)
        left += wide
    for _ in range(int(rng.integers(0, 3))):
        centre = np.array((rng.uniform(0, 1), horizon - rng.uniform(0.15, 0.35)))
        for _ in range(25):
            place = (centre + rng.normal(0, (0.09, 0.07), 2)) * picture.shape[1::-1]
            green = (rng.uniform(0.2, 0.45), rng.uniform(0.35, 0.58), rng.uniform(0.15, 0.3))
            cv2.circle(picture, tuple(int(v) for v in place), int(rng.uniform(5, 14)), green, -1)
    road = np.asarray(spec.floor_colour, np.float32) * (1 + np.float32(0.15) * (down - np.float32(horizon)))[..., None]
    picture += (road - picture) * (down > horizon)[..., None]
    _rectangle(picture, 0, horizon - 0.005, 1, horizon + 0.02, np.asarray(spec.floor_colour) * 1.15)
    return _softened(picture, max(spec.blur, 0.012))
