"""A panel being painted, and where its edges are.

Every line and area is laid from signed distances and covers a texel by the part of it that it really takes, so
that details fade out with the resolution instead of breaking up. Lengths in dm, colours sRGB-encoded in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .cloth import PanelMaps
from .colours import Colour


class Panel:
    """A panel being painted: its colours, its height, and strokes given by distances in dm."""

    def __init__(self, maps: PanelMaps, albedo: np.ndarray) -> None:
        self.maps, self.scale = maps, float(maps.scale)
        self.albedo = albedo
        self.height = np.zeros(maps.x.shape, np.float32)

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """Part of each texel where ``distance`` is positive."""
        return np.clip(distance * np.float32(self.scale) + np.float32(0.5), 0, 1)

    def line(self, distance: np.ndarray, at: float, width: float) -> np.ndarray:
        """Part of each texel on a line ``width`` wide along ``distance == at``."""
        half = np.float32(0.5 / self.scale)
        away = np.abs(distance - np.float32(at))
        return np.clip((np.float32(width / 2) + half - away) * np.float32(self.scale), 0, min(1.0, width * self.scale))

    def fade(self, pitch: float) -> float:
        """What is left of the contrast of a wave ``pitch`` dm long once texels average over it."""
        texels = pitch * self.scale
        return float(np.sinc(1 / texels) * np.clip(texels - 2, 0, 1)) if texels > 2 else 0.0

    def window(self, cover: np.ndarray) -> tuple[slice, slice] | None:
        """Rows and columns of what is covered; None if nothing is."""
        rows = np.flatnonzero(cover.any(1))
        if not len(rows):
            return None
        columns = np.flatnonzero(cover[rows[0] : rows[-1] + 1].any(0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    def tint(self, cover: np.ndarray, colour: Sequence[float] | np.ndarray) -> None:
        """Lay a colour over the covered part; also an (H, W, 3) picture."""
        if (window := self.window(cover)) is None:
            return
        colour = np.asarray(colour, np.float32)
        part = self.albedo[window]
        part += ((colour[window] if colour.ndim == 3 else colour) - part) * cover[window][..., None]

    def shade(self, cover: np.ndarray, factor: float) -> None:
        """Darken (below 1) or lighten the covered part."""
        if (window := self.window(cover)) is not None:
            self.albedo[window] *= (1 + np.float32(factor - 1) * cover[window])[..., None]

    def lift(self, cover: np.ndarray, height: float) -> None:
        """Raise the covered part by ``height`` dm."""
        if (window := self.window(cover)) is not None:
            self.height[window] += np.float32(height) * cover[window]

    def seam(
        self, distance: np.ndarray, at: float = 0.0, where: np.ndarray | float = 1.0, strength: float = 1.0
    ) -> None:
        """Two pieces sewn together: a dark fine groove."""
        cover = self.line(distance, at, 0.018) * where
        self.shade(cover, 1 - 0.38 * strength)
        self.lift(self.line(distance, at, 0.05) * where, -0.008 * strength)

    def stitch(self, distance: np.ndarray, at: float, colour: Colour | None, where: np.ndarray | float = 1.0) -> None:
        """A row of stitches; ``colour`` None is thread of the cloth's own colour."""
        cover = self.line(distance, at, 0.014 if colour is None else 0.02) * where
        if colour is None:
            self.shade(cover, 0.78)
        else:
            self.tint(cover * np.float32(0.85), colour)
        self.lift(self.line(distance, at, 0.035) * where, -0.004)

    def ribs(self, cover: np.ndarray, position: np.ndarray, pitch: float, contrast: float = 0.07) -> None:
        """Knitted ribs across ``position``."""
        left = self.fade(pitch)
        if left > 0:
            wave = np.cos(position * np.float32(2 * math.pi / pitch)) * cover
            if (window := self.window(cover)) is not None:
                self.albedo[window] *= (1 + np.float32(contrast * left) * wave[window])[..., None]
                self.height[window] += np.float32(0.006 * left) * wave[window]

    def button(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A round button with its rim, four holes' shade and the shade it throws."""
        maps = self.maps
        reach = np.hypot(maps.x - np.float32(x), maps.y - np.float32(y))
        below = np.hypot(maps.x - np.float32(x + 0.012), maps.y - np.float32(y - 0.02))
        self.shade(np.clip((np.float32(radius + 0.04) - below) / np.float32(0.05), 0, 1), 0.72)
        disc = self.inside(np.float32(radius) - reach)
        self.tint(disc, colour)
        self.shade(self.line(reach, radius * 0.8, radius * 0.18) * disc, 0.84)
        self.shade(self.inside(np.float32(radius * 0.3) - reach), 0.72)
        self.lift(disc, 0.012)


def top_edge(maps: PanelMaps) -> float:
    """Height of the lowest point of the edge in the middle of the panel."""
    near = (np.abs(maps.x) < max(0.08, 1.5 / maps.scale)) & (maps.sleeve < 0.5)
    edge = np.minimum(maps.neck[near], maps.cuff[near])  # a bodice on straps has its upper edge in ``cuff``
    found = maps.y[near][(edge > 0) & (edge < 0.4)]
    return float(found.max()) if len(found) else 4.9


def bottom_edge(maps: PanelMaps) -> float:
    """Height of the hem in the middle of the panel."""
    near = np.abs(maps.x) < max(0.08, 1.5 / maps.scale)
    found = maps.y[near][(maps.hem[near] > 0) & (maps.hem[near] < 0.4)]
    return float(found.min()) if len(found) else -0.3
