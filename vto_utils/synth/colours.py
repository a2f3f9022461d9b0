"""Colours of clothes: what wardrobes have, and what goes with what.

Colours are sRGB-encoded RGB in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

Colour = tuple[float, float, float]

# Colours most clothes have, in CIE L*a*b*.
NEUTRALS = {
    "black": (6, 0, 0), "soft black": (13, 0, -1), "white": (99, 0, 0), "off-white": (95, 0, 4), "navy": (14, 4, -19),
    "charcoal": (27, 0, -2), "grey": (55, 0, -1), "light grey": (79, 0, 0), "beige": (78, 3, 15),
    "cream": (91, 1, 11), "camel": (59, 11, 30), "brown": (29, 10, 13), "khaki": (55, 1, 20), "olive": (36, -5, 17),
}  # fmt: skip
_NEUTRAL_WEIGHTS = {
    "top": (17, 5, 16, 7, 12, 7, 9, 7, 5, 6, 2, 2, 2, 3), "trousers": (20, 8, 5, 3, 15, 9, 8, 3, 9, 3, 4, 4, 6, 5),
    "skirt": (22, 6, 7, 4, 12, 7, 6, 4, 7, 4, 5, 5, 3, 4), "dress": (26, 5, 9, 5, 14, 4, 4, 3, 6, 6, 3, 3, 2, 3),
}  # fmt: skip
_COLOURS = (
    (23, 30, 8), (74, 17, 8), (78, -5, -15), (68, -9, 14), (67, 14, 60), (44, 36, 38), (25, -18, 8), (38, -22, -9),
    (70, 13, -20), (44, 58, 36), (32, 14, -52), (86, -2, 45), (60, 45, 18), (52, -6, -32), (66, 48, 4), (48, -42, 24),
    (38, 28, -28), (72, 22, 36), (84, -12, 2), (87, 9, 4), (33, 38, -10), (58, -30, -22), (90, -8, 20), (62, 52, 56),
)  # fmt: skip


def from_lab(lab: Sequence[float]) -> Colour:
    """CIE L*a*b* to sRGB, out-of-gamut colours clipped, rounded so that JSON stays short."""
    pixel = cv2.cvtColor(np.array([[lab]], np.float32), cv2.COLOR_Lab2RGB)[0, 0]
    return tuple(round(float(value), 4) for value in np.clip(pixel, 0, 1))


def to_lab(colour: Sequence[float]) -> np.ndarray:
    """sRGB to CIE L*a*b*, (3,) float32."""
    return cv2.cvtColor(np.array([[colour]], np.float32), cv2.COLOR_RGB2Lab)[0, 0]


def lightness(colour: Sequence[float]) -> float:
    """CIE L* of an sRGB colour, 0 black to 100 white."""
    return float(to_lab(colour)[0])


def weighted_choice(rng: np.random.Generator, items: Sequence, weights: Sequence[float]):
    """One of the items, as often as its weight says; takes one random number."""
    total = np.cumsum(np.asarray(weights, float))
    return items[min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(items) - 1)]


def sample_colour(rng: np.random.Generator, kind: str = "top") -> Colour:
    """One colour as wardrobes have them: mostly neutral, and everything else now and then.

    Pure white and pure black included; every sRGB colour can be drawn.
    """
    draw = rng.random()
    if draw < {"top": 0.55, "trousers": 0.84, "skirt": 0.6, "dress": 0.5}[kind]:
        name = weighted_choice(rng, tuple(NEUTRALS), _NEUTRAL_WEIGHTS[kind])
        if name in ("white", "black") and rng.random() < 0.35:
            return (1.0, 1.0, 1.0) if name == "white" else (0.0, 0.0, 0.0)
        return from_lab(np.array(NEUTRALS[name]) + rng.normal(0, (2, 1, 1.5)))
    if draw > 0.965:
        return tuple(round(float(value), 4) for value in np.clip(rng.uniform(-0.1, 1.1, 3), 0, 1))
    if rng.random() < 0.6:
        return from_lab(np.array(_COLOURS[rng.integers(len(_COLOURS))]) + rng.normal(0, (4, 4, 4)))
    hue, chroma = rng.uniform(0, 2 * math.pi), 58 * rng.random()
    return from_lab((rng.uniform(14, 92), chroma * math.cos(hue), chroma * math.sin(hue)))


def companions(rng: np.random.Generator, base: Colour, count: int, contrast: float = 24) -> tuple[Colour, ...]:
    """Colours that go with ``base``: neutrals, other tones of its hue, neighbours or opposites on the colour wheel.

    Args:
        rng: random numbers.
        base: sRGB colour.
        count: how many colours to give.
        contrast: least difference in L* between the base and the first of them.
    """
    light, a, b = to_lab(base)
    hue, chroma = math.atan2(b, a), math.hypot(a, b)
    if chroma < 8:
        hue = rng.uniform(0, 2 * math.pi)
    scheme = weighted_choice(rng, ("neutral", "tones", "neighbours", "opposite", "accents"), (36, 20, 16, 12, 16))
    found: list[Colour] = []
    for index in range(count):
        if scheme == "neutral" or (scheme != "tones" and index == 1 and rng.random() < 0.5):
            lab = np.array(
                NEUTRALS[weighted_choice(rng, tuple(NEUTRALS), (4, 8, 18, 18, 16, 6, 8, 10, 8, 16, 4, 3, 3, 3))]
            )
        else:
            turn = {
                "tones": rng.normal(0, 0.08),
                "neighbours": rng.choice((-1, 1)) * rng.uniform(0.3, 0.9),
                "opposite": math.pi + rng.normal(0, 0.25) if index == 0 else rng.normal(0, 0.3),
                "accents": rng.uniform(0, 2 * math.pi),
            }[scheme if scheme != "neutral" else "accents"]
            strength = np.clip(chroma * rng.uniform(0.5, 1.2) if scheme == "tones" else rng.uniform(18, 58), 3, 65)
            lab = np.array(
                (rng.uniform(20, 92), strength * math.cos(hue + turn), strength * math.sin(hue + turn)), float
            )
        if index == 0 and abs(lab[0] - light) < contrast:
            step = contrast + rng.uniform(0, 25)
            lab[0] = light - step if light > 50 else light + step
        lab[0] = np.clip(lab[0] + rng.normal(0, 1.5), 0, 100)
        found.append(from_lab(lab))
    return tuple(found)
