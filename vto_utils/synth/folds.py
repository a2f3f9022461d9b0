"""Folds of worn cloth: where it hangs, where it is pulled, and where the pose squeezes it."""

from __future__ import annotations

import numpy as np

from .curves import smoothstep
from .noise import Field
from .shells import Pattern
from .styles import Edges, Style


def strain(rest: np.ndarray, posed: np.ndarray, pattern: Pattern) -> np.ndarray:
    """How much the pose squeezes the cloth: (V,) float32, 0 none, 0.3 a third shorter along some edge."""
    pairs = pattern.edges
    before = np.linalg.norm(rest[pairs[:, 0]] - rest[pairs[:, 1]], axis=1)
    after = np.linalg.norm(posed[pairs[:, 0]] - posed[pairs[:, 1]], axis=1)
    shorter = np.clip(1 - (after + 1e-3) / (before + 1e-3), 0, 0.6)  # needles at the seams say nothing
    worst = np.zeros(len(rest))
    np.maximum.at(worst, pairs.ravel(), np.repeat(shorter, 2))
    for _ in range(8):
        worst = 0.5 * worst + 0.5 * (pattern.smooth @ worst)
    return worst.astype(np.float32)


def fold_heights(style: Style, cut: Edges, pattern: Pattern, squeeze: np.ndarray, seed: int) -> np.ndarray:
    """Displacement along the normal, (V,) float32 dm.

    Long soft folds from the shoulders and the bust down, rings on sleeves and legs, pulls that start at the armpits and
    the crotch, bundles at elbows, knees, cuffs and waist; more of them where the pose squeezes the cloth, fewer on
    tight clothes and near necklines.
    """
    rng = np.random.default_rng([seed, 9])
    one, two = Field(rng), Field(rng)
    x, y, z = pattern.points.T
    side = np.sign(x)
    around = np.arctan2(x, z)
    pinch = np.minimum(1 + 5.0 * squeeze, 2.2)
    if style.kind == "trousers":
        leg = np.abs(x) - np.interp(y, [-7.5, -3.5, 0.3], [1.75, 1.4, 0.95])
        turn = np.arctan2(leg * side, z - 0.2)
        drape = one(turn * 1.1 + side * 17, y * 0.7 + turn * 0.4) * 0.5
        knee = np.exp(-(((y + 3.5) / 0.8) ** 2)) * 0.65 + 0.55 * np.exp(-(((y - style.hem - 0.5) / 0.7) ** 2))
        rings = two(turn * 1.3 + side * 17 + 5, y * 2.6 + turn * 0.9) * knee
        from_crotch = np.hypot(np.abs(x) - 0.15, y + 0.75)
        rays = np.arctan2(y + 0.75, np.abs(x))
        pulls = one(rays * 3.2 + side * 17, from_crotch * 0.5) * np.exp(-((from_crotch / 0.95) ** 2))
        pulls *= smoothstep(0.2, 0.8, from_crotch)
        amount = 0.6 + 0.9 * np.clip(style.leg_loose / 0.3, 0, 1.2)
        heights = (drape * 0.09 * amount + rings * 0.075 + pulls * 0.08) * pinch
        return np.where(heights < 0, 0.5 * heights, heights).astype(np.float32)
    amount = 0.45 + 0.8 * np.clip(style.loose / 0.35, 0, 1.3)
    wander = 0.5 * one(around * 0.8 + 3, y * 0.5 + 5)
    hanging = 0.75 * one(around * 2.2 + wander + 9, y * 0.33 + 0.35 * around)
    hanging += 0.45 * two(around * 4.2 + wander * 2, y * 0.6 - 0.5 * around + 7)
    hanging *= 0.25 + 0.75 * smoothstep(4.3, 1.0, y)
    waist = two(around * 1.4 + 11, y * 2.4 + 0.6 * around + 3) * np.exp(-(((y - 0.9) / 0.9) ** 2))
    from_pit = np.hypot(np.abs(x) - 1.75, y - 3.75)
    rays = np.arctan2(y - 3.75, 1.75 - np.abs(x))
    pulls = one(rays * 3.4 + 20 + side * 7, from_pit * 0.55 + 2) * np.exp(-((from_pit / 0.9) ** 2))
    pulls *= smoothstep(0.15, 0.75, from_pit)
    torso = (hanging * 0.15 * amount + waist * 0.08 * pinch + pulls * 0.07 * pinch) * (
        0.15 + 0.85 * smoothstep(5.6, 4.6, y)
    )
    t = pattern.along
    turn = np.arctan2(z - 0.2, (y - 4.85) + (np.abs(x) - 1.65) * 0.9)
    elbow = np.exp(-(((t - 0.52) / 0.16) ** 2)) + 0.8 * np.exp(-(((t - 0.92) / 0.1) ** 2))
    rings = one(t * 7.5 + turn * 0.6 + side * 13 + 40, turn * 0.9 + 3) * 0.6
    rings += 0.5 * two(t * 15 + turn * 1.1 + side * 13 + 2, turn * 1.2 + 30) * (0.35 + elbow)
    sleeve = rings * (0.055 + 0.07 * np.clip(style.sleeve_loose / 0.25, 0, 1.3)) * (0.6 + 0.4 * pinch)
    on_arm = smoothstep(0.15, 0.6, pattern.arm)
    heights = torso * (1 - on_arm) + sleeve * on_arm
    calm = 1 - 0.6 * np.exp(-((np.maximum(cut.neck, 0) / 0.18) ** 2))
    calm *= 1 - 0.7 * np.exp(-((np.maximum(cut.cuff, 0) / 0.2) ** 2))  # hemmed edges are stiff
    rib = 0.03 * np.sqrt(np.clip(1 - np.abs(cut.neck - 0.09) / 0.11, 0, 1))  # a collar stands a little proud
    heights = np.where(heights < 0, 0.5 * heights, heights)  # cloth folds away from the body rather than into it
    return (heights * calm + rib).astype(np.float32)
