"""The picture on hair: streaks in its colour, cut out where there is none.

Convention:
    v up, the root of a strand at the larger v. Upper half: one strip for sheets; lower half: `CELLS` locks side by
    side.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .curves import smoothstep
from .people import Identity

CELLS = 8
TEXTURE = (256, 512)  # rows, columns
MARGIN = 0.06  # share of a cell left empty on either side

Array = np.ndarray


@lru_cache(maxsize=8)
def _pattern(kind: str, variant: int) -> tuple[Array, Array, Array]:
    """Streaks (H, W), alpha (H, W) and tone (H, 1) of a kind of hair: "smooth", "wavy" or "curly"."""
    rng = np.random.default_rng([91, variant])
    rows, columns = TEXTURE
    half = rows // 2
    cell = columns // CELLS

    def streaks(height: int, width: int, sizes: tuple[float, ...], wander: float) -> Array:
        total = np.zeros((height, width))
        y = np.linspace(0, 1, height)[:, None]
        x = np.arange(width)[None]
        for size in sizes:
            knots = rng.standard_normal(width)
            knots = gaussian_filter1d(knots, size, mode="wrap")
            knots /= knots.std()
            turns = x * 2 * np.pi / width * rng.integers(1, 4)
            bend = wander * np.sin(y * rng.uniform(3, 7) + turns + rng.uniform(0, 6))
            total += np.interp((x + bend) % width, np.arange(width), knots) / len(sizes) ** 0.5
        return total

    if kind == "curly":
        blobs = np.stack(
            [gaussian_filter1d(gaussian_filter1d(rng.standard_normal((rows, columns)), s, 0), s, 1) for s in (1.6, 3.2)]
        )
        blobs /= blobs.std(axis=(1, 2), keepdims=True)
        light = 0.7 * blobs[0] + 0.25 * blobs[1]
    else:
        wander = 2.0 if kind == "smooth" else 5.0
        strips = [streaks(half, columns, sizes, wander) for sizes in ((0.9, 2.2, 6.0), (0.8, 1.8, 4.0))]
        light = np.concatenate(strips)
    alpha = np.ones((rows, columns))
    # sheets: opaque, frayed at their lower edge
    ends = 0.035 + 0.05 * gaussian_filter1d(rng.standard_normal(columns), 1.2, mode="wrap")
    ends += 0.04 * gaussian_filter1d(rng.standard_normal(columns), 5, mode="wrap")
    v = 1 - (np.arange(half) + 0.5) / half
    alpha[:half] = np.clip((v[:, None] - np.clip(ends, 0.005, 0.2)[None]) * half * 0.35 + 0.5, 0, 1)
    # locks: strands of different lengths that thin out
    for c in range(CELLS):
        x = (np.arange(cell) + 0.5) / cell * 2 - 1
        strand = gaussian_filter1d(rng.standard_normal(cell), 0.9)
        strand /= strand.std()
        tip = np.clip(0.04 + 0.10 * np.abs(x) ** 1.5 + 0.05 * strand, 0.01, 0.5)
        inside = (v[:, None] - tip[None]) * half * 0.25
        bound = 1 - MARGIN * 2 - 0.20 * rng.random() - 0.18 * (1 - v) ** 2 + 0.05 * np.sin(v * 9 + rng.uniform(0, 6))
        edge = (bound[:, None] - np.abs(x)[None] + 0.10 * strand[None]) * cell * 0.3
        gap = (strand[None] + 1.55 - 0.9 * (1 - v[:, None])) * 1.2
        if kind == "curly":
            gap = light[half:, c * cell : (c + 1) * cell] + 0.9
        block = np.minimum(np.minimum(inside, edge), gap) + 0.5
        alpha[half:, c * cell : (c + 1) * cell] = np.clip(block, 0, 1)
    depth = np.concatenate([v, v])[:, None]
    tone = 0.78 + 0.22 * smoothstep(1.0, 0.72, depth)  # roots are darker
    tone = tone * (1 + 0.16 * np.exp(-(((depth - 0.70) / 0.13) ** 2)))  # a faint band of light
    tone = tone * (1 + 0.10 * smoothstep(0.45, 0.0, depth))
    shade = rng.uniform(-0.4, 0.4, CELLS)
    light[half:] += np.repeat(shade, cell)[None]
    return light.astype(np.float32), alpha.astype(np.float32), tone.astype(np.float32)


def hair_texture(identity: Identity) -> Array:
    """(256, 512, 4) float32: sRGB and alpha. Streaks along v, roots darker, a faint band of light."""
    kind = {"afro": "curly", "curls": "curly", "long_curly": "wavy", "long_wavy": "wavy"}.get(identity.hair, "smooth")
    light, alpha, tone = _pattern(kind, identity.hair_seed % 4)
    colour = np.array(identity.hair_colour, np.float32)
    contrast = np.float32(0.13 - 0.06 * colour.mean())
    value = np.exp(contrast * light) * tone
    warm = np.clip(light, -1, 1)
    out = np.empty((*light.shape, 4), np.float32)
    for c, tint in enumerate((0.05, 0.01, -0.03)):
        out[..., c] = colour[c] * value * (1 + np.float32(tint) * warm)
    out[..., 3] = alpha
    np.clip(out[..., :3], 0.01, 0.97, out=out[..., :3])
    return out
