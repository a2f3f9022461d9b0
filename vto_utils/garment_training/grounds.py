"""Grounds that garments lie on: paper, wood, sheets, cloth, noise, and pieces cut from the borders of photos."""

from __future__ import annotations

import cv2
import numpy as np

from .sources import Sources


class Grounds:
    """Draws grounds."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """float32 (height, width, 3) RGB in [0, 255]."""
        sort = float(rng.random())
        if sort < 0.4:
            ground = paper(rng, size)
        elif sort < 0.5:
            ground = sheet(rng, size)
        elif sort < 0.58:
            ground = boards(rng, size)
        elif sort < 0.7:
            ground = self._cloth(rng, size)
        else:
            ground = self._border(rng, size)
        return np.clip(ground * _light(rng, size)[..., None], 0, 255)

    def _border(self, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """A photo's own ground, mirrored until it fills the picture."""
        strip = self.sources.border(rng)
        if strip is None:
            return paper(rng, size)
        if rng.random() < 0.5:
            strip = np.rot90(strip)
        zoom = float(rng.uniform(0.7, 1.6)) * max(size) / 320
        strip = cv2.resize(np.ascontiguousarray(strip), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
        rows, columns = (
            _mirrored(n, have, int(rng.integers(have))) for n, have in zip(size, strip.shape, strict=False)
        )
        return strip[rows][:, columns].astype(np.float32)

    def _cloth(self, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """A garment's cloth, near enough to fill the picture."""
        patch = self.sources.cloth(rng)
        if patch is None:
            return sheet(rng, size)
        return cv2.resize(patch, size[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _mirrored(count: int, have: int, start: int) -> np.ndarray:
    place = (np.arange(count) + start) % (2 * have)
    return np.minimum(place, 2 * have - 1 - place)


def _field(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    nodes = rng.standard_normal(cells, np.float32)
    return cv2.resize(nodes, size[::-1], interpolation=cv2.INTER_CUBIC)


def _light(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    strength = abs(float(rng.normal(0, 0.05))) if rng.random() < 0.7 else 0.0
    return 1 + np.float32(strength) * _field(rng, size, (2, 2))


def paper(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """One colour: mostly white or near it."""
    level = float(rng.choice([255, rng.uniform(240, 255), rng.uniform(200, 245), rng.uniform(10, 230)]))
    colour = level + rng.normal(0, 3 if rng.random() < 0.7 else 30, 3) * (level < 255)
    noise = rng.normal(0, rng.uniform(0, 3), (*size, 1)) * (level < 255)
    return np.clip(colour + noise, 0, 255).astype(np.float32)


def sheet(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A creased sheet: a height field of ridges, lit from the side; sometimes striped or checked."""
    ridges = sum(-np.abs(_field(rng, size, (n, n + 1))) / n for n in (3, 6, 12))
    slope = cv2.Sobel(ridges, cv2.CV_32F, 1, int(rng.integers(0, 2)), ksize=3)
    slope /= np.abs(slope).max() + 1e-6
    colour = rng.uniform(170, 250) + rng.normal(0, 8 if rng.random() < 0.6 else 40, 3)
    picture = np.clip(colour, 0, 255) * (1 + rng.uniform(0.06, 0.4) * slope[..., None])
    if rng.random() < 0.25:
        period = rng.uniform(0.04, 0.2) * size[0]
        across = np.indices(size)[int(rng.integers(2))]
        picture = np.where(((across / period) % 1 < 0.5)[..., None], picture, picture * rng.uniform(0.4, 0.95, 3))
    return picture.astype(np.float32)


def boards(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Wooden boards with their grain and joints."""
    flip = rng.random() < 0.5
    height, width = size[::-1] if flip else size
    count = int(rng.integers(2, 9))
    number = np.minimum((np.arange(height) * count) // height, count - 1)
    grain = (
        _field(rng, (height, width), (height // 3, 4)) * 0.05 + _field(rng, (height, width), (height // 8, 3)) * 0.06
    )
    tone = 1 + grain + rng.normal(0, 0.06, count)[number][:, None]
    tone[np.diff(number, prepend=0) > 0] *= 0.6
    colour = np.array((rng.uniform(110, 225), 0, 0))
    colour[1], colour[2] = colour[0] * rng.uniform(0.7, 0.95), colour[0] * rng.uniform(0.45, 0.9)
    picture = np.clip(tone[..., None] * colour, 0, 255).astype(np.float32)
    return picture.transpose(1, 0, 2) if flip else picture
