"""Cloth by the metre: what fabric a garment is made of, drawn as wardrobes have them.

Lengths are in decimetres (dm), colours sRGB-encoded RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import InputError
from .cloth import KINDS, WOVEN, FabricSpec, PhotoPatch
from .cloth_photos import sample_photo
from .colours import NEUTRALS, Colour, companions, from_lab, lightness, sample_colour, to_lab, weighted_choice

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

# Denim by its wash: L*, a*, b*, contrast of the yarns, fading at the thighs.
_WASHES = (
    (13, 2, -12, 0.05, 0.02), (20, 1, -17, 0.07, 0.08), (30, -1, -20, 0.09, 0.2), (41, -2, -21, 0.1, 0.28),
    (54, -3, -19, 0.1, 0.3), (68, -3, -14, 0.08, 0.25), (80, -2, -8, 0.05, 0.12), (9, 0, -2, 0.05, 0.02),
    (20, 0, -2, 0.08, 0.16), (47, 0, -2, 0.09, 0.2), (96, 0, 1, 0.02, 0.0), (91, 1, 8, 0.03, 0.0),
)  # fmt: skip
_WASH_WEIGHTS = (6, 14, 18, 18, 14, 9, 3, 9, 6, 4, 3, 2)


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
        finish = weighted_choice(rng, ("twill", "jersey", "linen", "fleece"), (70, 12, 8, 10))
    elif kind == "top":
        finish = weighted_choice(rng, ("jersey", "twill", "fleece", "satin", "linen"), (66, 12, 9, 6, 7))
    else:
        finish = weighted_choice(rng, ("jersey", "twill", "satin", "linen"), (48, 24, 18, 10))
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
        photos: patches of real cloth, see :func:`cloth_photos.load_photos`; without any the family "photo" is left out.

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
    family = weighted_choice(rng, names, weights) if sum(weights) > 0 else "plain"
    if family == "photo":
        patch = sample_photo(rng, photos, kind)
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
    layout = weighted_choice(rng, *_LAYOUTS[family]) if family in _LAYOUTS else ""
    if family in WOVEN:
        sett, _ = _sett(rng, family)
        if family == "breton":
            base = from_lab(np.array(NEUTRALS[str(rng.choice(("white", "off-white", "cream")))]) + rng.normal(0, 1, 3))
            ink = weighted_choice(rng, ("navy", "black", "red", "any"), (55, 20, 12, 13))
            ink = companions(rng, base, 1, 45)[0] if ink == "any" else from_lab({"red": (42, 52, 30), **NEUTRALS}[ink])
            others = (ink, *others[1:])
            if rng.random() < 0.3:
                base, others = others[0], (base, *others[1:])
        elif family == "gingham":
            others, base = (base if lightness(base) < 75 else others[0], *others[1:]), from_lab((97, 0, 1))
        elif family == "pinstripe":
            base = from_lab(np.array((rng.uniform(8, 34), *rng.normal(0, (1, 8)))))
            others = (from_lab((min(92, lightness(base) + rng.uniform(15, 55)), 0, 0)), *others[1:])
        if family in ("vertical stripe", "stripe", "breton") and finish == "twill" and kind == "top":
            finish = "jersey"
    elif family == "denim":
        wash = weighted_choice(rng, _WASHES, _WASH_WEIGHTS)
        base = from_lab(np.array(wash[:3]) + rng.normal(0, (2.5, 0.8, 2)))
        finish, grain, fade = "denim", 0.65 * wash[3], wash[4] * float(rng.uniform(0.2, 1.3))
    elif family == "heather":
        lab = to_lab(base)
        if rng.random() < 0.5:
            lab = np.array((rng.uniform(30, 85), *rng.normal(0, 1, 2)))
        lab[1:] *= 0.7
        base, others = from_lab(lab), (from_lab(lab + (rng.choice((-1, 1)) * rng.uniform(8, 22), 0, 0)), *others[1:])
    elif family == "corduroy" or family == "linen" or family == "leather":
        pool = {
            "corduroy": ("brown", "camel", "olive", "navy", "beige", "soft black"),
            "linen": ("white", "off-white", "cream", "beige", "khaki", "navy", "light grey"),
            "leather": ("black", "black", "soft black", "brown", "camel"),
        }[family]
        if rng.random() < 0.65:
            base = from_lab(np.array(NEUTRALS[str(rng.choice(pool))]) + rng.normal(0, 2, 3))
    elif family == "camouflage":
        base, *rest = _camouflage_palette(rng)
        others, size = tuple(rest), float(rng.uniform(3.0, 5.0))
        ratio = float(rng.uniform(0.16, 0.3))
    elif family == "animal":
        size = float(rng.uniform(2.5, 3.6))
        ratio = float(rng.uniform(0.09, 0.17))
        if layout == "leopard" and rng.random() < 0.75:
            base = from_lab(np.array((rng.uniform(60, 82), 8, 28)) + rng.normal(0, 3, 3))
            others = (from_lab((rng.uniform(8, 20), 3, 4)), from_lab((rng.uniform(42, 55), 14, 32)), others[2])
        elif layout == "zebra" and rng.random() < 0.8:
            base, others = from_lab((rng.uniform(88, 98), 0, 4)), (from_lab((rng.uniform(5, 18), 0, 0)), *others[1:])
    elif family == "dots":
        size = float(rng.uniform(0.14, 0.5) if rng.random() < 0.75 else rng.uniform(0.5, 1.1))
        ratio = float(rng.uniform(0.16, 0.34))
    elif family == "floral":
        size = float(rng.uniform(2.4, 3.4))
        ratio = {"ditsy": rng.uniform(0.1, 0.17), "medium": rng.uniform(0.2, 0.36), "sprigs": rng.uniform(0.12, 0.2)}
        ratio = float(ratio.get(layout, rng.uniform(0.4, 0.65)) / size)
        if rng.random() < 0.55:  # most florals are on white, black or navy
            base = from_lab(NEUTRALS[weighted_choice(rng, ("white", "cream", "black", "navy"), (28, 18, 28, 26))])
            others = companions(rng, base, 3, 35)
        others = (*others, from_lab((rng.uniform(28, 60), rng.uniform(-32, -8), rng.uniform(8, 30))))
    elif family in ("abstract", "geometric"):
        size = float(rng.uniform(2.4, 3.6)) if family == "abstract" else float(rng.uniform(0.15, 0.8))
        ratio = float(rng.uniform(0.12, 0.3))
    elif family == "tie dye":
        size = float(rng.uniform(0.7, 1.6))
        if rng.random() < 0.5:
            base = from_lab((97, 0, 1))
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
    chosen = np.array(palettes[weighted_choice(rng, range(4), (45, 20, 20, 15))], float)
    return tuple(from_lab(lab) for lab in chosen + rng.normal(0, 2.5, (4, 3)))
