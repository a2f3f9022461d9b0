"""Cloth by the metre: what fabric a garment is made of, and its colour at every point of a panel.

Lengths are in decimetres (dm), colours sRGB-encoded RGB in [0, 1]. Woven stripes and checks are integrated
exactly over a texel; printed motifs are drawn once as a seamless tile, finer than needed, and averaged down, so
that the same cloth looks the same at every resolution and never aliases.
"""

from __future__ import annotations

import csv
import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vto_utils.errors import InputError

Colour = tuple[float, float, float]

KINDS = ("top", "trousers", "skirt", "dress")

# How often each fabric is worn: top, trousers, skirt, dress.
_WARDROBE: dict[str, tuple[float, float, float, float]] = {
    "plain": (32, 36, 30, 32),
    "heather": (9, 4, 3, 2),
    "rib knit": (4, 0.5, 2, 4),
    "knit": (5, 0, 2, 3),
    "stripe": (9, 0.5, 3, 6),
    "breton": (4, 0, 1, 2),
    "vertical stripe": (3, 1, 3, 4),
    "pinstripe": (2, 3, 2, 1),
    "check": (3, 2.5, 4, 3),
    "gingham": (3, 0.5, 4, 4),
    "tartan": (3, 1.5, 5, 2),
    "dots": (4, 0.7, 6, 9),
    "floral": (6, 1.5, 12, 17),
    "abstract": (3, 0.5, 5, 6),
    "geometric": (3, 0.7, 4, 4),
    "colour block": (4, 0, 0, 3),
    "camouflage": (1.5, 1.5, 0.5, 0.3),
    "animal": (1.5, 0.7, 3, 3),
    "tie dye": (1.5, 0.3, 0.5, 1.5),
    "gradient": (1, 0.3, 1, 2),
    "denim": (2.5, 42, 14, 3),
    "corduroy": (1, 4, 4, 1),
    "leather": (0.5, 2, 5, 0.5),
    "linen": (3, 3, 4, 4),
    "photo": (14, 8, 12, 12),
}
FAMILIES: tuple[str, ...] = tuple(_WARDROBE)
HELD_OUT_FAMILIES: frozenset[str] = frozenset({"tartan", "animal", "geometric"})

# Colours most clothes have, in CIE L*a*b*.
_NEUTRALS = {
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

# Denim by its wash: L*, a*, b*, contrast of the yarns, fading at the thighs.
_WASHES = (
    (13, 2, -12, 0.05, 0.02), (20, 1, -17, 0.07, 0.08), (30, -1, -20, 0.09, 0.2), (41, -2, -21, 0.1, 0.28),
    (54, -3, -19, 0.1, 0.3), (68, -3, -14, 0.08, 0.25), (80, -2, -8, 0.05, 0.12), (9, 0, -2, 0.05, 0.02),
    (20, 0, -2, 0.08, 0.16), (47, 0, -2, 0.09, 0.2), (96, 0, 1, 0.02, 0.0), (91, 1, 8, 0.03, 0.0),
)  # fmt: skip
_WASH_WEIGHTS = (6, 14, 18, 18, 14, 9, 3, 9, 6, 4, 3, 2)

_DENSITY = 128  # texels per dm of a tile as it is drawn, before it is averaged down
_OVERSAMPLING = 1.3  # of a tile against the panel it is looked up for: keeps motifs crisp through interpolation


@dataclass(frozen=True)
class PhotoPatch:
    """A rectangle of bare cloth in a photo of a garment."""

    path: str
    box: tuple[int, int, int, int]  # left, top, width, height in pixels
    label: str = ""  # what the garment is, as the photo's list says


@dataclass(frozen=True)
class FabricSpec:
    """One cloth, in full; the same spec always gives the same cloth.

    ``dataclasses.asdict`` makes it JSON; :meth:`from_dict` reads it back.
    """

    family: str  # one of FAMILIES
    finish: str = "jersey"  # jersey, twill, denim, linen, rib, knit, corduroy, satin, leather, fleece
    colours: tuple[Colour, ...] = ((0.5, 0.5, 0.5),)  # the ground first
    # Woven families: (index of the colour, width in dm) along one repeat. Colour block: (colour, lower edge y).
    sett: tuple[tuple[int, float], ...] = ()
    layout: str = ""  # variant within the family
    size: float = 1.0  # dm: the repeat of a motif, the reach of a gradient
    ratio: float = 0.5  # part of the repeat that the motif takes
    angle: float = 0.0  # degrees, of motifs
    offset: tuple[float, float] = (0.0, 0.0)  # dm along and across
    grain: float = 0.02  # contrast of the yarns, standard deviation of the relative brightness
    pitch: float = 0.08  # dm between ribs, wales or stitches
    gloss: float = 0.0  # 0 matt to 1 patent leather; paint does not use it
    fade: float = 0.0  # how much worn denim lightens at the thighs
    seed: int = 0  # of everything irregular
    photo: PhotoPatch | None = None

    @classmethod
    def from_dict(cls, values: Mapping) -> FabricSpec:
        """The inverse of ``dataclasses.asdict``, also after a trip through JSON."""
        fields = dict(values)
        fields["colours"] = tuple(tuple(colour) for colour in fields["colours"])
        fields["sett"] = tuple((int(colour), float(width)) for colour, width in fields["sett"])
        fields["offset"] = tuple(fields["offset"])
        if fields.get("photo"):
            photo = dict(fields["photo"])
            fields["photo"] = PhotoPatch(**{**photo, "box": tuple(photo["box"])})
        return cls(**fields)


@dataclass(frozen=True)
class PanelMaps:
    """Where each texel of one panel's atlas is; all maps are (H, W) float32."""

    x: np.ndarray  # dm on the panel laid flat, to the wearer's left
    y: np.ndarray  # dm upwards: chest about 3.6, waist 1.2, crotch -1, knee -4
    along: np.ndarray  # cloth coordinate in dm: y on the body, along the sleeve on a sleeve
    across: np.ndarray  # cloth coordinate in dm: x on the body, across the sleeve on a sleeve
    sleeve: np.ndarray  # 1 on a sleeve, 0 on the body
    armhole: np.ndarray  # signed dm to the armhole seam, positive on the sleeve
    neck: np.ndarray  # dm to the neckline (trousers, skirt: the waist edge), positive inside; large where there is none
    hem: np.ndarray  # dm to the lower edge
    cuff: np.ndarray  # dm to the edge of the sleeve or of the armhole
    side: str = "front"  # or back
    scale: float = 26.0  # texels per dm


# ---------------------------------------------------------------------------------------------------- colours


def _rgb(lab: Sequence[float]) -> Colour:
    """CIE L*a*b* to sRGB, out-of-gamut colours clipped, rounded so that JSON stays short."""
    pixel = cv2.cvtColor(np.array([[lab]], np.float32), cv2.COLOR_Lab2RGB)[0, 0]
    return tuple(round(float(value), 4) for value in np.clip(pixel, 0, 1))


def _lab(colour: Sequence[float]) -> np.ndarray:
    return cv2.cvtColor(np.array([[colour]], np.float32), cv2.COLOR_RGB2Lab)[0, 0]


def lightness(colour: Sequence[float]) -> float:
    """CIE L* of an sRGB colour, 0 black to 100 white."""
    return float(_lab(colour)[0])


def _choice(rng: np.random.Generator, items: Sequence, weights: Sequence[float]):
    total = np.cumsum(np.asarray(weights, float))
    return items[min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(items) - 1)]


def sample_colour(rng: np.random.Generator, kind: str = "top") -> Colour:
    """One colour as wardrobes have them: mostly neutral, and everything else now and then.

    Pure white and pure black included; every sRGB colour can be drawn.
    """
    draw = rng.random()
    if draw < {"top": 0.55, "trousers": 0.84, "skirt": 0.6, "dress": 0.5}[kind]:
        name = _choice(rng, tuple(_NEUTRALS), _NEUTRAL_WEIGHTS[kind])
        if name in ("white", "black") and rng.random() < 0.35:
            return (1.0, 1.0, 1.0) if name == "white" else (0.0, 0.0, 0.0)
        return _rgb(np.array(_NEUTRALS[name]) + rng.normal(0, (2, 1, 1.5)))
    if draw > 0.965:
        return tuple(round(float(value), 4) for value in np.clip(rng.uniform(-0.1, 1.1, 3), 0, 1))
    if rng.random() < 0.6:
        return _rgb(np.array(_COLOURS[rng.integers(len(_COLOURS))]) + rng.normal(0, (4, 4, 4)))
    hue, chroma = rng.uniform(0, 2 * math.pi), 58 * rng.random()
    return _rgb((rng.uniform(14, 92), chroma * math.cos(hue), chroma * math.sin(hue)))


def companions(rng: np.random.Generator, base: Colour, count: int, contrast: float = 24) -> tuple[Colour, ...]:
    """Colours that go with ``base``: neutrals, other tones of its hue, neighbours or opposites on the colour wheel.

    Args:
        rng: random numbers.
        base: sRGB colour.
        count: how many colours to give.
        contrast: least difference in L* between the base and the first of them.
    """
    light, a, b = _lab(base)
    hue, chroma = math.atan2(b, a), math.hypot(a, b)
    if chroma < 8:
        hue = rng.uniform(0, 2 * math.pi)
    scheme = _choice(rng, ("neutral", "tones", "neighbours", "opposite", "accents"), (36, 20, 16, 12, 16))
    found: list[Colour] = []
    for index in range(count):
        if scheme == "neutral" or (scheme != "tones" and index == 1 and rng.random() < 0.5):
            lab = np.array(_NEUTRALS[_choice(rng, tuple(_NEUTRALS), (4, 8, 18, 18, 16, 6, 8, 10, 8, 16, 4, 3, 3, 3))])
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
        found.append(_rgb(lab))
    return tuple(found)


# ------------------------------------------------------------------------------------------------ drawing a spec


def _finish(rng: np.random.Generator, kind: str, family: str) -> tuple[str, float, float, float]:
    """Finish, grain, pitch in dm and gloss of a fabric."""
    fixed = {
        "rib knit": ("rib", 0.02, rng.uniform(0.06, 0.18), 0.0),
        "knit": ("knit", 0.03, rng.uniform(0.05, 0.14), 0.0),
        "corduroy": ("corduroy", 0.03, rng.uniform(0.035, 0.08), 0.05),
        "leather": ("leather", 0.03, 0.08, rng.uniform(0.35, 0.7)),
        "linen": ("linen", rng.uniform(0.015, 0.042), 0.08, 0.0),
        "heather": (str(rng.choice(("jersey", "fleece"))), 0.02, 0.08, 0.0),
        "pinstripe": ("twill", 0.02, 0.08, 0.05),
    }
    if family in fixed:
        return fixed[family]
    if kind == "trousers":
        finish = _choice(rng, ("twill", "jersey", "linen", "fleece"), (70, 12, 8, 10))
    elif kind == "top":
        finish = _choice(rng, ("jersey", "twill", "fleece", "satin", "linen"), (66, 12, 9, 6, 7))
    else:
        finish = _choice(rng, ("jersey", "twill", "satin", "linen"), (48, 24, 18, 10))
    grain = {"satin": 0.006, "linen": 0.025, "fleece": 0.025, "twill": 0.02}.get(finish, rng.uniform(0.008, 0.02))
    return finish, grain, 0.08, rng.uniform(0.15, 0.45) if finish == "satin" else 0.0


def _sett(rng: np.random.Generator, family: str) -> tuple[tuple[tuple[int, float], ...], int]:
    """One repeat of a woven family, and how many colours besides the ground it takes."""
    if family == "breton":
        repeat = rng.uniform(0.2, 0.4)
        line = repeat * rng.uniform(0.25, 0.5)
        return ((0, repeat - line), (1, line)), 1
    if family == "pinstripe":
        repeat, line = rng.uniform(0.12, 0.6), rng.uniform(0.012, 0.03)
        return ((0, repeat - line), (1, line)), 1
    if family == "gingham":
        half = rng.uniform(0.04, 0.18) if rng.random() < 0.75 else rng.uniform(0.18, 0.5)
        return ((0, half), (1, half)), 1
    if family == "tartan":
        count = int(rng.integers(4, 7))
        widths = [float(rng.choice((0.03, 0.05, 0.12, 0.25, 0.4))) * rng.uniform(0.7, 1.3) for _ in range(count)]
        half = [(index % 2 * int(rng.integers(1, 4)), width) for index, width in enumerate(widths)]
        half[0] = (0, rng.uniform(0.3, 0.7))
        half[1] = (1, rng.uniform(0.2, 0.5))
        return tuple(half + half[-2:0:-1]), 3
    if family == "check":
        draw = rng.random()
        if draw < 0.4:  # windowpane
            repeat, line = rng.uniform(0.3, 1.1), rng.uniform(0.02, 0.05)
            return ((0, repeat - line), (1, line)), 1
        if draw < 0.6:  # buffalo
            half = rng.uniform(0.25, 0.7)
            return ((0, half), (1, half)), 1
        band, line = rng.uniform(0.1, 0.4), rng.uniform(0.02, 0.05)
        return ((0, band), (1, band), (0, band), (2, line)), 2
    unit = rng.uniform(0.1, 0.9) ** 1.2
    draw = rng.random()
    if draw < 0.4:
        return ((0, unit), (1, unit * rng.uniform(0.7, 1.1))), 1
    if draw < 0.65:
        return ((0, unit), (1, max(0.04, unit * rng.uniform(0.15, 0.4)))), 1
    if draw < 0.85:
        thin = max(0.04, unit * rng.uniform(0.15, 0.4))
        return ((0, unit), (1, thin), (0, thin), (2, thin), (0, thin), (1, thin)), 2
    return tuple((index % 4, unit * rng.uniform(0.3, 1.2)) for index in range(int(rng.integers(4, 8)))), 3


_WOVEN = frozenset({"stripe", "breton", "vertical stripe", "pinstripe", "check", "gingham", "tartan"})
_LAYOUTS: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "dots": (("staggered", "grid", "scattered"), (60, 15, 25)),
    "floral": (("ditsy", "medium", "large", "sprigs"), (35, 35, 15, 15)),
    "abstract": (("blobs", "marble", "strokes"), (40, 30, 30)),
    "geometric": (("triangles", "chevron", "diamonds", "houndstooth", "squares"), (20, 22, 22, 20, 16)),
    "animal": (("leopard", "zebra"), (65, 35)),
    "tie dye": (("rings", "crumple"), (45, 55)),
    "gradient": (("down",), (1,)),
    "colour block": (("across", "halves", "slanted"), (72, 14, 14)),
}


def sample_fabric(
    rng: np.random.Generator, families: Iterable[str], *, kind: str, photos: Sequence[PhotoPatch | None] = ()
) -> FabricSpec:
    """Draw a fabric as wardrobes have them.

    Args:
        rng: random numbers; nothing else decides.
        families: those to draw from, of :data:`FAMILIES`.
        kind: ``top``, ``trousers``, ``skirt`` or ``dress``.
        photos: patches of real cloth, see :func:`load_photos`; without any the family "photo" is left out.

    Raises:
        InputError: for an unknown kind or family, or no family at all.
    """
    if kind not in KINDS:
        raise InputError(f'There is no kind of garment "{kind}"; use one of {", ".join(KINDS)}.')
    names = sorted(set(families), key=lambda name: FAMILIES.index(name) if name in FAMILIES else -1)
    if unknown := [name for name in names if name not in FAMILIES]:
        raise InputError(f'There is no fabric family "{unknown[0]}"; use some of {", ".join(FAMILIES)}.')
    if not names:
        raise InputError("No fabric family is given to draw from; name at least one.")
    weights = [_WARDROBE[name][KINDS.index(kind)] * (name != "photo" or len(photos) > 0) for name in names]
    if sum(weights) <= 0:  # what is asked for is not worn as this kind: take it all the same
        weights = [float(name != "photo" or len(photos) > 0) for name in names]
    family = _choice(rng, names, weights) if sum(weights) > 0 else "plain"
    if family == "photo":
        patch = _sample_photo(rng, photos, kind)
        if patch is not None:
            grey = sample_colour(rng, kind)
            return FabricSpec(
                "photo", "photo", (grey, *companions(rng, grey, 3)), size=float(rng.uniform(34, 60)), grain=0.004,
                offset=(float(rng.uniform(0, 5)), float(rng.uniform(0, 5))), photo=patch,
            )  # fmt: skip
        family = "plain"
    return _sample_made(rng, family, kind)


def _sample_made(rng: np.random.Generator, family: str, kind: str) -> FabricSpec:
    """A fabric of a family that is drawn, not photographed."""
    finish, grain, pitch, gloss = _finish(rng, kind, family)
    base = sample_colour(rng, kind)
    others: tuple[Colour, ...] = companions(rng, base, 3)
    sett: tuple[tuple[int, float], ...] = ()
    size, ratio, angle, fade = 1.0, 0.5, 0.0, 0.0
    layout = _choice(rng, *_LAYOUTS[family]) if family in _LAYOUTS else ""
    if family in _WOVEN:
        sett, _ = _sett(rng, family)
        if family == "breton":
            base = _rgb(np.array(_NEUTRALS[str(rng.choice(("white", "off-white", "cream")))]) + rng.normal(0, 1, 3))
            ink = _choice(rng, ("navy", "black", "red", "any"), (55, 20, 12, 13))
            ink = companions(rng, base, 1, 45)[0] if ink == "any" else _rgb({"red": (42, 52, 30), **_NEUTRALS}[ink])
            others = (ink, *others[1:])
            if rng.random() < 0.3:
                base, others = others[0], (base, *others[1:])
        elif family == "gingham":
            others, base = (base if lightness(base) < 75 else others[0], *others[1:]), _rgb((97, 0, 1))
        elif family == "pinstripe":
            base = _rgb(np.array((rng.uniform(8, 34), *rng.normal(0, (1, 8)))))
            others = (_rgb((min(92, lightness(base) + rng.uniform(15, 55)), 0, 0)), *others[1:])
        if family in ("vertical stripe", "stripe", "breton") and finish == "twill" and kind == "top":
            finish = "jersey"
    elif family == "denim":
        wash = _choice(rng, _WASHES, _WASH_WEIGHTS)
        base = _rgb(np.array(wash[:3]) + rng.normal(0, (2.5, 0.8, 2)))
        finish, grain, fade = "denim", 0.65 * wash[3], wash[4] * float(rng.uniform(0.2, 1.3))
    elif family == "heather":
        lab = _lab(base)
        if rng.random() < 0.5:
            lab = np.array((rng.uniform(30, 85), *rng.normal(0, 1, 2)))
        lab[1:] *= 0.7
        base, others = _rgb(lab), (_rgb(lab + (rng.choice((-1, 1)) * rng.uniform(8, 22), 0, 0)), *others[1:])
    elif family == "corduroy" or family == "linen" or family == "leather":
        pool = {
            "corduroy": ("brown", "camel", "olive", "navy", "beige", "soft black"),
            "linen": ("white", "off-white", "cream", "beige", "khaki", "navy", "light grey"),
            "leather": ("black", "black", "soft black", "brown", "camel"),
        }[family]
        if rng.random() < 0.65:
            base = _rgb(np.array(_NEUTRALS[str(rng.choice(pool))]) + rng.normal(0, 2, 3))
    elif family == "camouflage":
        base, *rest = _camouflage_palette(rng)
        others, size = tuple(rest), float(rng.uniform(3.0, 5.0))
        ratio = float(rng.uniform(0.16, 0.3))
    elif family == "animal":
        size = float(rng.uniform(2.5, 3.6))
        ratio = float(rng.uniform(0.09, 0.17))
        if layout == "leopard" and rng.random() < 0.75:
            base = _rgb(np.array((rng.uniform(60, 82), 8, 28)) + rng.normal(0, 3, 3))
            others = (_rgb((rng.uniform(8, 20), 3, 4)), _rgb((rng.uniform(42, 55), 14, 32)), others[2])
        elif layout == "zebra" and rng.random() < 0.8:
            base, others = _rgb((rng.uniform(88, 98), 0, 4)), (_rgb((rng.uniform(5, 18), 0, 0)), *others[1:])
    elif family == "dots":
        size = float(rng.uniform(0.14, 0.5) if rng.random() < 0.75 else rng.uniform(0.5, 1.1))
        ratio = float(rng.uniform(0.16, 0.34))
    elif family == "floral":
        size = float(rng.uniform(2.4, 3.4))
        ratio = {"ditsy": rng.uniform(0.1, 0.17), "medium": rng.uniform(0.2, 0.36), "sprigs": rng.uniform(0.12, 0.2)}
        ratio = float(ratio.get(layout, rng.uniform(0.4, 0.65)) / size)
        if rng.random() < 0.55:  # most florals are on white, black or navy
            base = _rgb(_NEUTRALS[_choice(rng, ("white", "cream", "black", "navy"), (28, 18, 28, 26))])
            others = companions(rng, base, 3, 35)
        others = (*others, _rgb((rng.uniform(28, 60), rng.uniform(-32, -8), rng.uniform(8, 30))))
    elif family in ("abstract", "geometric"):
        size = float(rng.uniform(2.4, 3.6)) if family == "abstract" else float(rng.uniform(0.15, 0.8))
        ratio = float(rng.uniform(0.12, 0.3))
    elif family == "tie dye":
        size = float(rng.uniform(0.7, 1.6))
        if rng.random() < 0.5:
            base = _rgb((97, 0, 1))
    elif family == "gradient":
        size = float(rng.uniform(2.0, 7.0))
    elif family == "colour block":
        edges = sorted(rng.uniform(-0.2, 4.3, int(rng.choice((1, 2), p=(0.6, 0.4)))), reverse=True)
        sett = tuple((index, round(float(edge), 3)) for index, edge in enumerate(edges)) + ((len(edges), -99.0),)
        angle = float(rng.choice((-1, 1)) * rng.uniform(15, 40))
    return FabricSpec(
        family,
        finish,
        (base, *others),
        tuple((int(index), round(float(width), 4)) for index, width in sett),
        layout,
        size,
        ratio,
        angle,
        (float(rng.uniform(0, 5)), float(rng.uniform(0, 5))),
        grain,
        pitch,
        gloss,
        fade,
        int(rng.integers(2**31)),
    )


def _camouflage_palette(rng: np.random.Generator) -> tuple[Colour, ...]:
    palettes = (
        ((62, 2, 20), (38, -8, 18), (28, 8, 14), (10, 0, 0)),
        ((78, 3, 16), (62, 6, 22), (44, 9, 20), (88, 1, 8)),
        ((75, 0, -2), (50, 0, -2), (28, 0, -2), (92, 0, 0)),
        ((48, -3, -14), (25, 0, -18), (68, -3, -8), (12, 0, -6)),
    )
    chosen = np.array(palettes[_choice(rng, range(4), (45, 20, 20, 15))], float)
    return tuple(_rgb(lab) for lab in chosen + rng.normal(0, 2.5, (4, 3)))


# ------------------------------------------------------------------------------------------------------ tiles


def _cover(distance: np.ndarray, scale: float) -> np.ndarray:
    """How much of a texel lies on the positive side of an edge at signed ``distance`` dm."""
    return np.clip(distance * np.float32(scale) + np.float32(0.5), 0, 1)


def _mix(below: np.ndarray, above: np.ndarray | Sequence[float], amount: np.ndarray) -> np.ndarray:
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


def _lookup(tile: np.ndarray, repeat: tuple[float, float], along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """A seamless tile at cloth coordinates; its rows run down, against ``along``."""
    padded = cv2.copyMakeBorder(tile, 2, 2, 2, 2, cv2.BORDER_WRAP)
    row = along * np.float32(-1 / repeat[0])
    column = across * np.float32(1 / repeat[1])
    row -= np.floor(row)
    column -= np.floor(column)
    row *= np.float32(tile.shape[0])
    column *= np.float32(tile.shape[1])
    return cv2.remap(padded, column + np.float32(1.5), row + np.float32(1.5), cv2.INTER_LINEAR)


def _reduced(tile: np.ndarray, repeat: tuple[float, float], scale: float) -> np.ndarray:
    """A tile averaged down to what a panel of ``scale`` texels per dm can show."""
    size = [
        max(4, min(side, round(length * scale * _OVERSAMPLING)))
        for side, length in zip(tile.shape[:2], repeat, strict=True)
    ]
    return cv2.resize(tile, (size[1], size[0]), interpolation=cv2.INTER_AREA)


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
    lab = _lab(colour)
    return _rgb((np.clip(lab[0] + change, 0, 100), lab[1], lab[2]))


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


def _repeat(spec: FabricSpec) -> tuple[float, int]:
    """Side of a motif tile in dm, and the number of motifs along it."""
    if spec.family not in ("dots", "geometric"):
        return spec.size, 1
    count = 2 * max(1, round(1.4 / spec.size)) if spec.layout != "scattered" else max(4, 2 * round(1.6 / spec.size))
    return count * spec.size, count


@functools.lru_cache(maxsize=8)
def _motifs(spec: FabricSpec, scale: float) -> np.ndarray:
    """The tile of a printed family, uint8 RGB, averaged down for ``scale``."""
    side, count = _repeat(spec)
    rng = np.random.default_rng([spec.seed, 1])
    tile = _Tile(spec.colours[0], min(round(side * (_DENSITY if scale <= 80 else 2 * _DENSITY)), 1024))
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
    return _reduced(tile.image, (side, side), scale)


# ---------------------------------------------------------------------------------------------------- pattern


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


def _placed(spec: FabricSpec, maps: PanelMaps) -> tuple[np.ndarray, np.ndarray]:
    return maps.along + np.float32(spec.offset[0]), maps.across + np.float32(spec.offset[1])


def _woven(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    along, across = _placed(spec, maps)
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
        cover = _cover(maps.x, maps.scale)
        return _mix(colour, spec.colours[1], cover)
    height = maps.y
    if spec.layout == "slanted":
        height = height + maps.x * np.float32(math.tan(math.radians(spec.angle)))
    body = 1 - sleeves(maps)
    for (_, edge), (index, _) in itertools.pairwise(spec.sett):
        colour = _mix(colour, spec.colours[index], _cover(np.float32(edge) - height, maps.scale) * body)
    return colour


def sleeves(maps: PanelMaps) -> np.ndarray:
    """Part of each texel on a sleeve, smooth over the armhole seam: (H, W) float32 in [0, 1]."""
    near = np.abs(maps.armhole) * maps.scale < 2
    return np.where(near, _cover(maps.armhole, maps.scale), maps.sleeve).astype(np.float32)


def _dyed(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    """Tie dye and gradients: colours that run over the whole garment."""
    if spec.family == "gradient":
        amount = np.clip((np.float32(2.6) - maps.y) / np.float32(spec.size) * 0.5 + 0.25, 0, 1)
        return _mix(np.float32(spec.colours[0]), spec.colours[1], amount * amount * (3 - 2 * amount))
    rng = np.random.default_rng([spec.seed, 2])
    coarse = seamless_noise(rng, (9, 9), (128, 128))
    fine = seamless_noise(rng, (31, 31), (128, 128))
    field = coarse * 0.6 + fine * (0.1 if spec.layout == "rings" else 0.25)
    wave = _lookup(field, (6.0, 6.0), maps.y, maps.x)
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
    fibres = _lookup(_fibres(spec.seed, maps.scale), (2.5, 2.5), *_placed(spec, maps))
    amount = np.clip(0.5 + 0.18 * fibres, 0, 1)
    return _mix(np.float32(spec.colours[0]), spec.colours[1], amount)


@functools.lru_cache(maxsize=8)
def _fibres(seed: int, scale: float) -> np.ndarray:
    """Short mixed fibres, unit variance before averaging: (n, n) float32, one repeat of 2.5 dm."""
    rng = np.random.default_rng([seed, 3])
    pixels = 320
    field = (
        seamless_noise(rng, (160, 48), (pixels, pixels)) * 1.1 + seamless_noise(rng, (70, 70), (pixels, pixels)) * 0.5
    )
    return _reduced(field + 0.35 * seamless_noise(rng, (22, 22), (pixels, pixels)), (2.5, 2.5), scale)


def pattern(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    """The cloth's colours without its yarns.

    Returns:
        (H, W, 3) float32 sRGB-encoded RGB in [0, 1].
    """
    if spec.family in _WOVEN:
        return _woven(spec, maps)
    if spec.family == "colour block":
        return _blocks(spec, maps)
    if spec.family in ("tie dye", "gradient"):
        return _dyed(spec, maps)
    if spec.family == "heather":
        return _heathered(spec, maps)
    if spec.family == "photo" and spec.photo is not None:
        return _photographed(spec, maps)
    if spec.family in ("dots", "floral", "abstract", "geometric", "animal", "camouflage"):
        along, across = _placed(spec, maps)
        side, _ = _repeat(spec)
        return _lookup(_motifs(spec, float(maps.scale)), (side, side), along, across).astype(np.float32) / np.float32(
            255
        )
    colour = np.empty((*maps.x.shape, 3), np.float32)
    colour[:] = spec.colours[0]
    return colour


# ------------------------------------------------------------------------------------------------------ yarns


def _finish_repeat(spec: FabricSpec) -> float:
    """Side in dm of the finish's tile: whole pitches."""
    return round(2.4 / spec.pitch) * spec.pitch if spec.finish in ("rib", "knit", "corduroy") else 2.4


@functools.lru_cache(maxsize=8)
def _yarns(finish: str, side: float, pitch: float, seed: int, scale: float) -> np.ndarray:
    """Relative brightness in units of the grain, and height in dm, of one repeat: (n, n, 2) float32."""
    rng = np.random.default_rng([seed, 4])
    pixels = round(side * _DENSITY)
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
    return _reduced(np.stack([shade, height], -1).astype(np.float32), (side, side), scale)


def yarns(spec: FabricSpec, maps: PanelMaps) -> tuple[np.ndarray, np.ndarray]:
    """What the yarns add to the colours.

    Returns:
        A factor on the sRGB-encoded colour around 1, and the height in dm, both (H, W) float32.
    """
    side = _finish_repeat(spec)
    tile = _yarns(spec.finish, side, spec.pitch, spec.seed % 64, float(maps.scale))
    found = _lookup(tile, (side, side), *_placed(spec, maps))
    return np.clip(1 + np.float32(spec.grain) * found[..., 0], 0.5, 1.4), np.ascontiguousarray(found[..., 1])


# ------------------------------------------------------------------------------------------------ real cloth


class PhotoLibrary(Sequence):
    """Patches of cloth in a folder of garment photos, each looked for when it is first asked for.

    ``library[i]`` is a :class:`PhotoPatch`, or None where photo i is broken or shows no piece of bare cloth.
    """

    def __init__(self, folder: Path, names: Sequence[tuple[str, str]], notes: Iterable[str] = ()) -> None:
        self._folder, self._names, self._notes = folder, tuple(names), list(notes)
        self._found: dict[int, PhotoPatch | None] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        index = range(len(self))[index]
        if index not in self._found:
            name, label = self._names[index]
            try:
                box = find_cloth(_read(str(self._folder / name)))
            except InputError as error:
                self._notes.append(str(error))
                box = None
            self._found[index] = None if box is None else PhotoPatch(str(self._folder / name), box, label)
        return self._found[index]

    @property
    def labels(self) -> tuple[str, ...]:
        """What each photo shows, as the list says; empty where it does not."""
        return tuple(label for _, label in self._names)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on photos that are missing or turned out to be broken."""
        return tuple(self._notes)


_NO_CLOTH = frozenset({"Shoes", "Hat", "Not sure", "Skip", "Other"})


def load_photos(folder: str | Path) -> PhotoLibrary:
    """Real cloth from a folder with ``images/`` and, optionally, ``images.csv`` (columns image, label).

    Nothing is decoded yet. Photos that are named but missing are left out and named in ``notes``.

    Raises:
        InputError: if there is no such folder or it has no photo.
    """
    folder = Path(folder)
    images = folder / "images" if (folder / "images").is_dir() else folder
    if not images.is_dir():
        raise InputError(f"{folder} is not a folder; give a folder with garment photos.")
    present = {
        path.stem: path.name for path in sorted(images.iterdir()) if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    }
    notes: list[str] = []
    names = [(name, "") for name in present.values()]
    table = folder / "images.csv"
    if table.is_file():
        try:
            with table.open(newline="", encoding="utf-8") as file:
                rows = [(row["image"], row.get("label") or "") for row in csv.DictReader(file)]
        except (OSError, UnicodeDecodeError, KeyError, TypeError, csv.Error):
            notes.append(f'{table} cannot be read as a table with a column "image": photos are taken without it.')
        else:
            missing = sorted({name for name, _ in rows if Path(name).stem not in present and name not in present})
            if missing:
                shown = ", ".join(missing[:3]) + (" and others" if len(missing) > 3 else "")
                notes.append(f"{len(missing)} photos named in {table} are missing and left out: {shown}.")
            names = sorted(
                (present[name if name in present else Path(name).stem], label)
                for name, label in dict(rows).items()
                if label not in _NO_CLOTH and (name in present or Path(name).stem in present)
            )
    if not names:
        raise InputError(f"{images} has no photo (.jpg or .png) that can be used; check the folder.")
    return PhotoLibrary(images, names, notes)


def _sample_photo(rng: np.random.Generator, photos: Sequence[PhotoPatch | None], kind: str) -> PhotoPatch | None:
    """A patch that suits ``kind``; always the same number of draws."""
    lower = ("Pants", "Shorts", "Skirt")
    below = kind in ("trousers", "skirt")
    drawn = [int(index) for index in rng.integers(len(photos), size=16)]
    if isinstance(photos, PhotoLibrary):  # those of the right kind first: none is decoded for nothing
        drawn.sort(key=lambda index: (photos.labels[index] in lower) != below)
    else:
        drawn.sort(key=lambda index: photos[index] is None or (photos[index].label in lower) != below)
    return next((patch for patch in (photos[index] for index in drawn) if patch is not None), None)


def _read(path: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as a photo and is left out.") from error


def find_cloth(photo: np.ndarray) -> tuple[int, int, int, int] | None:
    """A rectangle of bare cloth in a photo of one garment: the largest even one whose colours the border lacks.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        Left, top, width, height in pixels, or None.
    """
    height, width = photo.shape[:2]
    reduction = 160 / max(height, width)
    small = cv2.resize(
        photo, (max(16, round(width * reduction)), max(16, round(height * reduction))), interpolation=cv2.INTER_AREA
    )
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.0), cv2.COLOR_RGB2LAB)
    rows, columns = lab.shape[:2]
    bins = (lab.astype(np.int32) // np.array((16, 8, 8))).astype(np.int32)
    code = bins[..., 0] * 1024 + bins[..., 1] * 32 + bins[..., 2]
    ring = np.ones((rows, columns), bool)
    edge_y, edge_x = max(2, rows // 12), max(2, columns // 12)
    ring[edge_y:-edge_y, edge_x:-edge_x] = False
    behind = np.bincount(code[ring], minlength=16384)[code] / ring.sum()
    alien = cv2.integral((behind < 0.004).astype(np.float32))
    even = cv2.integral(lab.astype(np.float32))
    light = lab[..., 0].astype(np.float32)
    detail = cv2.integral(np.square(light - cv2.GaussianBlur(light, (0, 0), 3.0)))

    def means(table: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
        """Mean of each of 5 x 5 squares of a window."""
        steps = np.arange(6) * side // 5
        nodes = table[(top + steps)[:, None], (left + steps)[None]].reshape(6, 6, -1)
        sums = nodes[1:, 1:] - nodes[:-1, 1:] - nodes[1:, :-1] + nodes[:-1, :-1]
        area = np.diff(steps)[:, None] * np.diff(steps)[None]
        return (sums / area[..., None]).reshape(25, -1)

    for part in (0.42, 0.34, 0.27, 0.2):
        side = round(part * min(rows, columns))
        best = None
        tops = np.rint(np.arange(0.28, 0.78, 0.05) * rows - side / 2).astype(int)[:, None]
        lefts = np.rint(np.arange(0.28, 0.73, 0.05) * columns - side / 2).astype(int)[None]
        inside = alien[tops + side, lefts + side] - alien[tops, lefts + side] - alien[tops + side, lefts]
        inside = (inside + alien[tops, lefts]) / side**2
        for row, column in np.argwhere(inside >= 0.985):
            top, left = int(tops[row, 0]), int(lefts[0, column])
            spread = means(even, top, left, side)
            tone = np.abs(spread - np.median(spread, 0)).max(0)
            busy = means(detail, top, left, side)
            typical = float(np.median(busy))
            odd = float(busy.max()) / (typical + 4)  # a button, a logo, a seam in an otherwise even cloth
            if tone[0] > 16 or tone[1:].max() > 6 or odd > 3.0 or typical > 900:
                continue
            score = tone[0] + 2 * tone[1:].sum() + 4 * odd
            if best is None or score < best[0]:
                best = (score, left, top)
        if best is not None:
            scale = 1 / reduction
            return round(best[1] * scale), round(best[2] * scale), int(side * scale), int(side * scale)
    return None


@functools.lru_cache(maxsize=16)
def _patch(photo: PhotoPatch) -> np.ndarray:
    """The patch with its folds' light mostly taken out, uint8 RGB."""
    left, top, width, height = photo.box
    cut = _read(photo.path)[top : top + height, left : left + width].astype(np.float32) / 255
    light = cv2.GaussianBlur(cut.mean(2), (0, 0), max(width, height) / 10, borderType=cv2.BORDER_REFLECT)
    even = cut * np.clip(((light.mean() + 0.08) / (light + 0.08)) ** 0.92, 0.5, 2.0)[..., None]
    return np.round(np.clip(even, 0, 1) * 255).astype(np.uint8)


def _photographed(spec: FabricSpec, maps: PanelMaps) -> np.ndarray:
    """The patch laid over the panel, mirrored at its edges; ``spec.size`` is its pixels per dm."""
    patch = _patch(spec.photo)
    doubled = np.concatenate([patch, patch[::-1]])
    doubled = np.concatenate([doubled, doubled[:, ::-1]], 1)
    repeat = (doubled.shape[0] / spec.size, doubled.shape[1] / spec.size)
    tile = _reduced(doubled, repeat, maps.scale)
    return _lookup(tile, repeat, *_placed(spec, maps)).astype(np.float32) / np.float32(255)
