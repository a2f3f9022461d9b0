"""Printed motifs: flowers, dots, animal prints and the like, drawn once as a seamless tile."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np

from .cloth import FabricSpec
from .colours import Colour, from_lab, lightness, to_lab
from .tiles import DENSITY, reduced, seamless_noise


def _blob(rng: np.random.Generator, radius: float, rough: float = 0.25, points: int = 20) -> np.ndarray:
    """A closed irregular outline around the origin, (points, 2)."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    wave = sum(rng.normal(0, rough / k) * np.cos(k * turn + rng.uniform(0, 6.3)) for k in (1, 2, 3, 4))
    reach = radius * np.clip(1 + wave, 0.35, 1.8)
    return np.stack([reach * np.cos(turn), reach * np.sin(turn)], 1)


def _scatter(rng: np.random.Generator, spacing: float) -> np.ndarray:
    """Points of a jittered staggered grid in the unit tile, (n, 2), in random order."""
    count = max(2, round(1 / spacing))
    rows, columns = np.mgrid[0:count, 0:count].reshape(2, -1)
    points = np.stack([columns + 0.5 * (rows % 2), rows], 1) + rng.uniform(-0.3, 0.3, (count**2, 2))
    return rng.permutation(points / count) % 1


class _Tile:
    """A seamless square drawing board; lengths are parts of its side."""

    def __init__(self, ground: Colour, pixels: int) -> None:
        self.pixels = pixels
        self.image = np.empty((pixels, pixels, 3), np.uint8)
        self.image[:] = np.round(np.array(ground) * 255)

    def fill(self, outline: np.ndarray, centre: np.ndarray, colour: Colour) -> None:
        """Fill an outline (n, 2) around ``centre``, repeated over the tile's borders."""
        points = outline + centre
        low, high = points.min(0), points.max(0)
        paint = [round(value * 255) for value in colour]
        for column in range(math.floor(low[0]), math.floor(high[0]) + 1):
            for row in range(math.floor(low[1]), math.floor(high[1]) + 1):
                corners = np.round((points - (column, row)) * (self.pixels * 16) - 8).astype(np.int32)
                cv2.fillPoly(self.image, [corners], paint, cv2.LINE_AA, 4)


def _turned(outline: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = math.cos(angle), math.sin(angle)
    return outline @ np.array([[cosine, sine], [-sine, cosine]])


_TURN = np.linspace(0, 2 * np.pi, 40, endpoint=False)


def _flower(petals: int, depth: float, radius: float) -> np.ndarray:
    reach = radius * (1 - depth + depth * np.abs(np.cos(petals * _TURN / 2)) ** 0.7)
    return np.stack([reach * np.cos(_TURN), reach * np.sin(_TURN)], 1)


def _leaf(length: float, width: float) -> np.ndarray:
    t = np.linspace(0, 1, 9)
    side = width * np.sin(np.pi * t) ** 0.8
    return np.concatenate([np.stack([t * length, side], 1), np.stack([t * length, -side], 1)[::-1]])


def _tone(colour: Colour, change: float) -> Colour:
    """A lighter (positive) or darker shade, ``change`` in L*."""
    lab = to_lab(colour)
    return from_lab((np.clip(lab[0] + change, 0, 100), lab[1], lab[2]))


def _draw_floral(spec: FabricSpec, rng: np.random.Generator, tile: _Tile) -> None:
    first, second, third, green = (*spec.colours[1:4], spec.colours[-1])
    petals = int(rng.choice((4, 5, 5, 6, 8, 12)))
    depth = float(rng.uniform(0.25, 0.6))
    spacing = spec.ratio * {"ditsy": 2.6, "medium": 2.2, "large": 1.75}.get(spec.layout, 2.6)
    greens = (green, _tone(green, 14))
    centre = (
        third if abs(lightness(third) - lightness(first)) > 12 else _tone(first, -25 if lightness(first) > 50 else 30)
    )
    points = _scatter(rng, spacing)
    for point in points:  # leaves first: they lie under the flowers
        for _ in range(3 if spec.layout == "sprigs" else int(rng.integers(1, 3))):
            leaf = _leaf(spec.ratio * rng.uniform(1.1, 1.7), spec.ratio * rng.uniform(0.16, 0.32))
            tile.fill(_turned(leaf, rng.uniform(0, 6.3)), point, greens[int(rng.integers(2))])
    for point in points:
        radius = spec.ratio * rng.uniform(0.6, 1.1)
        colour = first if rng.random() < 0.65 else second
        angle = rng.uniform(0, 6.3)
        tile.fill(_turned(_flower(petals, depth, radius), angle), point, colour)
        if spec.layout != "ditsy":
            tile.fill(_turned(_flower(petals, depth, radius * 0.66), angle + 0.3), point, _tone(colour, 9))
        tile.fill(_blob(rng, radius * 0.26, 0.05, 10), point, centre)
        if spec.layout == "large":
            tile.fill(_blob(rng, radius * 0.12, 0.05, 8), point, _tone(centre, -14))


def _draw_dots(spec: FabricSpec, rng: np.random.Generator, tile: _Tile, count: int) -> None:
    circle = np.stack([np.cos(_TURN), np.sin(_TURN)], 1) * (spec.ratio / count)
    if spec.layout == "scattered":
        for index, point in enumerate(_scatter(rng, 1 / count)):
            tile.fill(circle * rng.uniform(0.7, 1.15), point, spec.colours[1 + index % 2])
        return
    shift = 0.5 if spec.layout == "staggered" else 0.0
    for row in range(count):
        for column in range(count):
            tile.fill(circle, np.array([(column + shift * (row % 2)) / count, row / count]), spec.colours[1])


def _draw_abstract(spec: FabricSpec, rng: np.random.Generator, tile: _Tile) -> None:
    if spec.layout == "marble":
        shape = (tile.pixels, tile.pixels)
        field = (
            seamless_noise(rng, (5, 5), shape)
            + 0.5 * seamless_noise(rng, (11, 11), shape)
            + 0.2 * seamless_noise(rng, (23, 23), shape)
        )
        for index, level in enumerate((0.1, 0.75, 1.3), 1):
            tile.image[field > level] = np.round(np.array(spec.colours[index]) * 255)
        return
    for index, point in enumerate(_scatter(rng, spec.ratio * 0.8)):
        colour = spec.colours[1 + index % 3]
        if spec.layout == "blobs":
            tile.fill(_blob(rng, spec.ratio * rng.uniform(0.3, 0.75), 0.3, 28), point, colour)
        else:
            outline = _leaf(spec.ratio * rng.uniform(1.2, 2.4), spec.ratio * rng.uniform(0.08, 0.2))
            tile.fill(_turned(outline, math.radians(35) + rng.normal(0, 0.35)), point, colour)


def _draw_geometric(spec: FabricSpec, tile: _Tile, count: int) -> None:
    shapes = {
        "triangles": [((0.5, 0.08), (0.95, 0.9), (0.05, 0.9))],
        "diamonds": [((0.5, 0.05), (0.95, 0.5), (0.5, 0.95), (0.05, 0.5))],
        "squares": [((0.22, 0.22), (0.78, 0.22), (0.78, 0.78), (0.22, 0.78))],
        "chevron": [((0, 0.0), (0.5, 0.5), (1, 0.0), (1, 0.42), (0.5, 0.92), (0, 0.42))],
        "houndstooth": [
            ((0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1)), ((0.25, 0.5), (0.5, 0.5), (0.5, 0.75)),
            ((0, 0.5), (0.25, 0.5), (0.5, 0.75), (0.5, 1)), ((0.5, 0), (0.75, 0.25), (0.75, 0.5), (0.5, 0.25)),
            ((0.75, 0.25), (1, 0.5), (0.75, 0.5)),
        ],
    }  # fmt: skip
    for row in range(count):
        for column in range(count):
            index = 1 if spec.layout in ("houndstooth", "chevron") else 1 + (row * 2 + column) % 3 % 2
            for shape in shapes[spec.layout]:
                tile.fill(np.array(shape) / count, np.array([column, row]) / count, spec.colours[index])


def _draw_animal(spec: FabricSpec, rng: np.random.Generator, tile: _Tile) -> None:
    shape = (tile.pixels, tile.pixels)
    if spec.layout == "zebra":
        rows = np.linspace(0, 2 * np.pi, tile.pixels, endpoint=False, dtype=np.float32)[:, None]
        bend = seamless_noise(rng, (4, 4), shape) * 1.6 + seamless_noise(rng, (9, 7), shape) * 0.9
        field = np.sin(rows * round(0.55 / spec.ratio) + bend * 1.5) + 0.25 * seamless_noise(rng, (14, 14), shape)
        tile.image[field > 0.15] = np.round(np.array(spec.colours[1]) * 255)
        return
    for point in _scatter(rng, spec.ratio * 1.05):
        radius = spec.ratio * rng.uniform(0.34, 0.55)
        ring = _blob(rng, radius, 0.16, 24)
        tile.fill(ring, point, spec.colours[1])
        tile.fill(ring * rng.uniform(0.42, 0.6), point + rng.normal(0, radius * 0.1, 2), spec.colours[2])
        gap = _leaf(radius * 1.6, radius * rng.uniform(0.12, 0.3))
        for _ in range(int(rng.integers(1, 3))):
            tile.fill(_turned(gap, rng.uniform(0, 6.3)) + 0.0, point, spec.colours[0])
        if rng.random() < 0.6:
            away = rng.uniform(0, 6.3)
            beside = point + spec.ratio * 0.62 * np.array([math.cos(away), math.sin(away)])
            tile.fill(_blob(rng, spec.ratio * rng.uniform(0.06, 0.13), 0.2, 12), beside, spec.colours[1])


def _draw_camouflage(spec: FabricSpec, rng: np.random.Generator, tile: _Tile) -> None:
    shape = (tile.pixels, tile.pixels)
    cells = max(4, round(1 / spec.ratio * 1.3))
    for index, level in ((1, 0.25), (2, 0.55), (3, 0.85)):
        field = seamless_noise(rng, (cells, cells - 1), shape) + 0.45 * seamless_noise(
            rng, (2 * cells + 3, 2 * cells), shape
        )
        tile.image[field > level] = np.round(np.array(spec.colours[index]) * 255)


def motif_repeat(spec: FabricSpec) -> tuple[float, int]:
    """Side of a motif tile in dm, and the number of motifs along it."""
    if spec.family not in ("dots", "geometric"):
        return spec.size, 1
    count = 2 * max(1, round(1.4 / spec.size)) if spec.layout != "scattered" else max(4, 2 * round(1.6 / spec.size))
    return count * spec.size, count


@functools.lru_cache(maxsize=8)
def motif_tile(spec: FabricSpec, scale: float) -> np.ndarray:
    """The tile of a printed family, uint8 RGB, averaged down for ``scale``."""
    side, count = motif_repeat(spec)
    rng = np.random.default_rng([spec.seed, 1])
    tile = _Tile(spec.colours[0], min(round(side * (DENSITY if scale <= 80 else 2 * DENSITY)), 1024))
    if spec.family == "floral":
        _draw_floral(spec, rng, tile)
    elif spec.family == "dots":
        _draw_dots(spec, rng, tile, count)
    elif spec.family == "abstract":
        _draw_abstract(spec, rng, tile)
    elif spec.family == "geometric":
        _draw_geometric(spec, tile, count)
    elif spec.family == "animal":
        _draw_animal(spec, rng, tile)
    else:
        _draw_camouflage(spec, rng, tile)
    return reduced(tile.image, (side, side), scale)
