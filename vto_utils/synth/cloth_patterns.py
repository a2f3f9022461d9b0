"""The colour of a cloth at every point of a panel.

Woven stripes and checks are integrated exactly over a texel; motifs, fibres and photos are looked up in tiles.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from .cloth import WOVEN, FabricSpec, PanelMaps
from .cloth_photos import photographed
from .motifs import motif_repeat, motif_tile
from .tiles import coverage, lookup, mix, placed, reduced, seamless_noise, sleeves


def _bands(spec: FabricSpec, position: np.ndarray, scale: float) -> np.ndarray:
    """Coloured yarns at ``position`` dm, averaged exactly over a texel: (H, W, 3)."""
    widths = np.array([width for _, width in spec.sett])
    colours = np.array([spec.colours[index] for index, _ in spec.sett])
    repeat = float(widths.sum())
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    integral = np.concatenate([np.zeros((1, 3)), np.cumsum(widths[:, None] * colours, 0)])
    samples, half = 2048, 0.55 / scale
    places = (np.arange(samples) + 0.5) / samples * repeat

    def summed(at: np.ndarray) -> np.ndarray:
        whole = np.floor(at / repeat)
        inside = at - whole * repeat
        return whole[:, None] * integral[-1] + np.stack([np.interp(inside, edges, integral[:, c]) for c in range(3)], 1)

    table = ((summed(places + half) - summed(places - half)) / (2 * half)).astype(np.float32)
    turn = position * np.float32(1 / repeat)
    turn -= np.floor(turn)
    return table[np.minimum((turn * samples).astype(np.int32), samples - 1)]


def _woven(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    along, across = placed(spec, maps)
    if spec.family in ("stripe", "breton"):
        return _bands(spec, along, maps.scale)
    warp = _bands(spec, across, maps.scale)
    if spec.family in ("vertical stripe", "pinstripe"):
        return warp
    return (warp + _bands(spec, along, maps.scale)) * np.float32(0.5)


def _blocks(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    """Pieces of different colour sewn together; the sleeves go with the shoulders."""
    colour = np.empty((*maps.x.shape, 3), np.float32)
    colour[:] = spec.colours[0]
    if spec.layout == "halves":
        cover = coverage(maps.x, maps.scale)
        return mix(colour, spec.colours[1], cover)
    height = maps.y
    if spec.layout == "slanted":
        height = height + maps.x * np.float32(math.tan(math.radians(spec.angle)))
    body = 1 - sleeves(maps)
    for (_, edge), (index, _) in itertools.pairwise(spec.sett):
        colour = mix(colour, spec.colours[index], coverage(np.float32(edge) - height, maps.scale) * body)
    return colour


def _dyed(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    """Tie dye and gradients: colours that run over the whole garment."""
    if spec.family == "gradient":
        amount = np.clip((np.float32(2.6) - maps.y) / np.float32(spec.size) * 0.5 + 0.25, 0, 1)
        return mix(np.float32(spec.colours[0]), spec.colours[1], amount * amount * (3 - 2 * amount))
    rng = np.random.default_rng([spec.seed, 2])
    coarse = seamless_noise(rng, (9, 9), (128, 128))
    fine = seamless_noise(rng, (31, 31), (128, 128))
    field = coarse * 0.6 + fine * (0.1 if spec.layout == "rings" else 0.25)
    wave = lookup(field, (6.0, 6.0), maps.y, maps.x)
    if spec.layout == "rings":
        centre = rng.normal((2.8, 0), (0.6, 0.5))
        turn = np.arctan2(maps.y - np.float32(centre[0]), maps.x - np.float32(centre[1]))
        reach = np.hypot(maps.x - np.float32(centre[1]), maps.y - np.float32(centre[0]))
        phase = reach / np.float32(spec.size) + 0.5 * wave + turn * np.float32(rng.choice((0, 1 / (2 * np.pi))))
    else:
        phase = wave * np.float32(0.42) + 0.3
    phase = phase - np.floor(phase)
    colours = np.array([spec.colours[0], spec.colours[1], spec.colours[0], spec.colours[2]], np.float32)
    table = np.stack(
        [np.interp(np.linspace(0, 4, 512), range(5), [*colours[:, c], colours[0, c]]) for c in range(3)], 1
    )
    return table.astype(np.float32)[np.minimum((phase * 512).astype(np.int32), 511)]


def _heathered(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    fibres = lookup(_fibres(spec.seed, maps.scale), (2.5, 2.5), *placed(spec, maps))
    amount = np.clip(0.5 + 0.18 * fibres, 0, 1)
    return mix(np.float32(spec.colours[0]), spec.colours[1], amount)


@functools.lru_cache(maxsize=8)
def _fibres(seed: int, scale: float) -> np.ndarray:
    """Short mixed fibres, unit variance before averaging: (n, n) float32, one repeat of 2.5 dm."""
    rng = np.random.default_rng([seed, 3])
    pixels = 320
    field = (
        seamless_noise(rng, (160, 48), (pixels, pixels)) * 1.1 + seamless_noise(rng, (70, 70), (pixels, pixels)) * 0.5
    )
    return reduced(field + 0.35 * seamless_noise(rng, (22, 22), (pixels, pixels)), (2.5, 2.5), scale)


def pattern(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    """The cloth's colours without its yarns.

    Returns:
        (H, W, 3) float32 sRGB-encoded RGB in [0, 1].
    """
    if spec.family in WOVEN:
        return _woven(spec, maps)
    if spec.family == "colour block":
        return _blocks(spec, maps)
    if spec.family in ("tie dye", "gradient"):
        return _dyed(spec, maps)
    if spec.family == "heather":
        return _heathered(spec, maps)
    if spec.family == "photo" and spec.photo is not None:
        return photographed(spec, maps)
    if spec.family in ("dots", "floral", "abstract", "geometric", "animal", "camouflage"):
        along, across = placed(spec, maps)
        side, _ = motif_repeat(spec)
        return lookup(motif_tile(spec, float(maps.scale)), (side, side), along, across).astype(np.float32) / np.float32(
            255
        )
    colour = np.empty((*maps.x.shape, 3), np.float32)
    colour[:] = spec.colours[0]
    return colour
