"""Seamless tiles of cloth, finer than needed and averaged down, and how much of a texel an area takes.

The same cloth looks the same at every resolution and never aliases.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .cloth import FabricSpec, PanelMaps

DENSITY = 128  # texels per dm of a tile as it is drawn, before it is averaged down
_OVERSAMPLING = 1.3  # of a tile against the panel it is looked up for: keeps motifs crisp through interpolation


def coverage(distance: np.ndarray, scale: float) -> np.ndarray:
    """How much of a texel lies on the positive side of an edge at signed ``distance`` dm."""
    return np.clip(distance * np.float32(scale) + np.float32(0.5), 0, 1)


def mix(below: np.ndarray, above: np.ndarray | Sequence[float], amount: np.ndarray) -> np.ndarray:
    """One colour laid over another, (H, W, 3); ``amount`` is how much each texel takes of it."""
    above = np.asarray(above, np.float32)
    return below + (above - below) * amount[..., None]


def seamless_noise(rng: np.random.Generator, cells: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Smooth noise that goes on over its borders: ``cells`` normal values interpolated to ``shape``, float32."""
    nodes = np.pad(rng.standard_normal(cells, np.float32), 3, mode="wrap")
    rows = (np.arange(shape[0], dtype=np.float32) + 0.5) * (cells[0] / shape[0]) + 2.5
    columns = (np.arange(shape[1], dtype=np.float32) + 0.5) * (cells[1] / shape[1]) + 2.5
    return cv2.remap(
        nodes,
        np.broadcast_to(columns, shape).copy(),
        np.broadcast_to(rows[:, None], shape).copy(),
        cv2.INTER_CUBIC,
    )


def lookup(tile: np.ndarray, repeat: tuple[float, float], along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """A seamless tile at cloth coordinates; its rows run down, against ``along``."""
    padded = cv2.copyMakeBorder(tile, 2, 2, 2, 2, cv2.BORDER_WRAP)
    row = along * np.float32(-1 / repeat[0])
    column = across * np.float32(1 / repeat[1])
    row -= np.floor(row)
    column -= np.floor(column)
    row *= np.float32(tile.shape[0])
    column *= np.float32(tile.shape[1])
    return cv2.remap(padded, column + np.float32(1.5), row + np.float32(1.5), cv2.INTER_LINEAR)


def reduced(tile: np.ndarray, repeat: tuple[float, float], scale: float) -> np.ndarray:
    """A tile averaged down to what a panel of ``scale`` texels per dm can show."""
    size = [
        max(4, min(side, round(length * scale * _OVERSAMPLING)))
        for side, length in zip(tile.shape[:2], repeat, strict=True)
    ]
    return cv2.resize(tile, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def placed(spec: FabricSpec, maps: PanelMaps) -> tuple[np.ndarray, np.ndarray]:
    """Cloth coordinates in dm, along and across, of every texel of a panel."""
    return maps.along + np.float32(spec.offset[0]), maps.across + np.float32(spec.offset[1])


def sleeves(maps: PanelMaps) -> np.ndarray:
    """Part of each texel on a sleeve, smooth over the armhole seam: (H, W) float32 in [0, 1]."""
    near = np.abs(maps.armhole) * maps.scale < 2
    return np.where(near, coverage(maps.armhole, maps.scale), maps.sleeve).astype(np.float32)
