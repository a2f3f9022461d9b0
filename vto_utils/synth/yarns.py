"""The yarns of a cloth: ribs, wales, stitches and slubs, as brightness and height."""

from __future__ import annotations

import functools

import numpy as np

from .cloth import FabricSpec, PanelMaps
from .tiles import DENSITY, lookup, placed, reduced, seamless_noise


def _finish_repeat(spec: FabricSpec) -> float:
    """Side in dm of the finish's tile: whole pitches."""
    return round(2.4 / spec.pitch) * spec.pitch if spec.finish in ("rib", "knit", "corduroy") else 2.4


@functools.lru_cache(maxsize=8)
def _yarns(finish: str, side: float, pitch: float, seed: int, scale: float) -> np.ndarray:
    """Relative brightness in units of the grain, and height in dm, of one repeat: (n, n, 2) float32."""
    rng = np.random.default_rng([seed, 4])
    pixels = round(side * DENSITY)
    shape = (pixels, pixels)

    def noise(rows: float, columns: float) -> np.ndarray:
        return seamless_noise(rng, (max(4, round(rows * side)), max(4, round(columns * side))), shape)

    rows, columns = np.mgrid[0:pixels, 0:pixels].astype(np.float32)
    across = (columns + 0.5) * np.float32(2 * np.pi * side / pitch / pixels)
    if finish in ("rib", "corduroy"):
        wale = np.cos(across)
        shade = 1.6 * np.sqrt(np.maximum(0.5 + 0.5 * wale, 0)) - 1 + 0.8 * noise(40, 20)
        height = (0.007 if finish == "rib" else 0.004) * wale
    elif finish == "knit":  # columns of small V
        lean = np.abs(np.mod((columns + 0.5) * np.float32(side / pitch / pixels), 1) - 0.5)
        along = (rows + 0.5) * np.float32(round(side / pitch * 1.3) / pixels)
        stitch = np.cos(2 * np.pi * (along + lean * 1.0)) * 0.6 + np.cos(across * 2) * 0.3 - np.cos(across) * 0.5
        shade, height = stitch + 0.5 * noise(12, 12), 0.008 * stitch
    elif finish == "denim":
        slubs = noise(4, 60) + 0.6 * noise(60, 5)
        flecks = noise(60, 60)
        shade = 0.75 * slubs + 0.9 * flecks + 0.4 * noise(1.2, 1.6) + 0.4 * noise(16, 16)
        height = 0.0015 * flecks
    elif finish == "linen":
        shade = noise(60, 3) * 0.9 + noise(3, 60) * 0.9 + 0.4 * noise(40, 40)
        height = 0.002 * shade
    elif finish == "leather":
        shade = noise(20, 20) * 0.6 + noise(4, 4) * 0.8
        height = 0.003 * (np.abs(noise(16, 16)) + 0.5 * np.abs(noise(36, 36)))
    elif finish == "fleece":
        shade = noise(30, 30) + 0.5 * noise(8, 8)
        height = 0.001 * noise(20, 20)
    elif finish == "twill":
        diagonal = np.cos((columns + rows) * np.float32(2 * np.pi * round(side / 0.035) / pixels))
        shade = 0.8 * diagonal + 0.6 * noise(50, 50) + 0.4 * noise(12, 12)
        height = 0.001 * diagonal
    elif finish == "satin":
        shade = noise(3, 40)
        height = np.zeros(shape, np.float32)
    else:
        shade = noise(26, 56) + 0.4 * noise(8, 12)
        height = 0.001 * shade
    return reduced(np.stack([shade, height], -1).astype(np.float32), (side, side), scale)


def yarns(spec: FabricSpec, maps: PanelMaps) -> tuple[np.ndarray, np.ndarray]:
    """What the yarns add to the colours.

    Returns:
        A factor on the sRGB-encoded colour around 1, and the height in dm, both (H, W) float32.
    """
    side = _finish_repeat(spec)
    tile = _yarns(spec.finish, side, spec.pitch, spec.seed % 64, float(maps.scale))
    found = lookup(tile, (side, side), *placed(spec, maps))
    return np.clip(1 + np.float32(spec.grain) * found[..., 0], 0.5, 1.4), np.ascontiguousarray(found[..., 1])
