"""What people wear: garment styles drawn as wardrobes have them, and the families held out for testing."""

from __future__ import annotations

import numpy as np

from .styles import HEM_LENGTHS, LEGS, SKIRTS, SLEEVES, Style

TOP_SLEEVES = {
    "strap": 0.06,
    "tank": 0.16,
    "cap": 0.05,
    "short": 0.33,
    "half": 0.07,
    "three-quarter": 0.07,
    "long": 0.26,
}
TOP_NECKS = {"crew": 0.42, "v": 0.2, "scoop": 0.14, "boat": 0.07, "square": 0.04, "polo": 0.08, "high": 0.05}
NECK_HALF = {"crew": 1.08, "v": 1.08, "scoop": 1.22, "boat": 1.5, "square": 1.08, "polo": 0.98, "high": 0.95}  # dm
TOP_HEMS = {"crop": 0.14, "waist": 0.25, "hip": 0.54, "tunic": 0.07}
LEG_SHAPES = {"skinny": 0.25, "straight": 0.4, "wide": 0.2, "tapered": 0.15}
SKIRT_SHAPES = {"pencil": 0.35, "straight": 0.2, "A-line": 0.3, "flared": 0.15}

# families that only the test split wears: sleeve with neckline, leg with length, skirt with length
HELD_OUT = frozenset(
    {
        "long square", "short boat", "tank v", "half crew", "three-quarter scoop", "cap crew", "long polo",
        "wide long", "skinny capri", "straight hot pants",
        "flared knee", "pencil midi", "A-line maxi",
    }
)  # fmt: skip


def _choose(rng: np.random.Generator, table: dict[str, float]) -> str:
    names = list(table)
    share = np.array([table[name] for name in names])
    return str(names[int(rng.choice(len(names), p=share / share.sum()))])


def sample_style(rng: np.random.Generator, kind: str, held_out: bool | None) -> Style:
    """Draw a style.

    Args:
        rng: the stream.
        kind: top, trousers, skirt or dress.
        held_out: True only of the held-out families, False none of them, None any.
    """
    for _ in range(400):
        style = {"top": _top, "trousers": _trousers, "skirt": _skirt, "dress": _dress}[kind](rng)
        if held_out is None or (style.family in HELD_OUT) == held_out:
            return style
    raise RuntimeError(f"no {kind} among the {'held-out' if held_out else 'other'} families")


def _upper(rng: np.random.Generator) -> dict:
    sleeve = _choose(rng, TOP_SLEEVES)
    neckline = _choose(rng, TOP_NECKS)
    if sleeve == "strap":
        neckline = "scoop"
    if neckline in ("polo", "high") and sleeve in ("tank", "cap") and rng.random() < 0.7:
        sleeve = "short" if neckline == "polo" else "long"
    low, high = SLEEVES[sleeve]
    width = float(rng.uniform(0.72, 1.04))
    # a tank top's strap starts where its neckline ends; a thin one sits half-way to the shoulder
    strap = rng.uniform(1.25, 1.6) if sleeve == "strap" else NECK_HALF[neckline] * width + rng.uniform(0.2, 0.7)
    fit = float(rng.beta(1.4, 2.8))  # 0 tight .. 1 oversized
    wide = rng.uniform(0.02, 0.16) if sleeve in ("cap", "short", "half") else rng.uniform(0.0, 0.1)
    return dict(
        family=f"{sleeve} {neckline}",
        loose=0.01 + 0.34 * fit,
        sleeve=sleeve,
        sleeve_length=float(rng.uniform(low, high)),
        sleeve_loose=float(wide * (0.6 + 0.8 * fit)),
        cuff_taper=float(rng.uniform(0.1, 0.6) if SLEEVES[sleeve][1] < 0.65 else rng.uniform(0.7, 1.0)),
        neckline=neckline,
        neck_width=width,
        neck_depth={"v": float(rng.uniform(0.6, 1.6)), "square": float(rng.uniform(0.2, 0.8))}.get(
            neckline, float(rng.uniform(0.0, 0.6))
        ),
        strap=float(strap),
    )


def _top(rng: np.random.Generator) -> Style:
    upper = _upper(rng)
    low, high = HEM_LENGTHS[_choose(rng, TOP_HEMS)]
    return Style(
        kind="top",
        **upper,
        flare=float(max(0.0, rng.normal(0.02, 0.05))),
        hem=float(rng.uniform(low, high)),
        hem_curve=float(rng.choice([0.0, rng.uniform(0.1, 0.5), -0.12], p=[0.7, 0.2, 0.1])),
        cinch=float(rng.choice([0.0, rng.uniform(0.2, 0.8)], p=[0.7, 0.3])),
    )


def _trousers(rng: np.random.Generator) -> Style:
    length = _choose(rng, {"hot pants": 0.08, "shorts": 0.14, "bermuda": 0.07, "capri": 0.1, "long": 0.61})
    shape = _choose(rng, LEG_SHAPES)
    low, high = LEGS[length]
    loose = {"skinny": (0.0, 0.03), "straight": (0.04, 0.14), "wide": (0.15, 0.35), "tapered": (0.08, 0.25)}[shape]
    lower = {"skinny": (0.0, 0.05), "straight": (0.15, 0.32), "wide": (0.4, 0.75), "tapered": (0.04, 0.12)}[shape]
    return Style(
        kind="trousers",
        family=f"{shape} {length}",
        loose=float(rng.uniform(*loose)),
        leg_loose=float(rng.uniform(*lower)),
        flare=0.0,
        hem=float(rng.uniform(low, high)),
        waist=float(rng.uniform(0.75, 1.7)),
    )


def _below(rng: np.random.Generator) -> tuple[str, dict]:
    length = _choose(rng, {"mini": 0.3, "knee": 0.34, "midi": 0.24, "maxi": 0.12})
    shape = _choose(rng, SKIRT_SHAPES)
    flare = {"pencil": (0.0, 0.01), "straight": (0.01, 0.05), "A-line": (0.07, 0.16), "flared": (0.18, 0.32)}[shape]
    return f"{shape} {length}", dict(flare=float(rng.uniform(*flare)), hem=float(rng.uniform(*SKIRTS[length])))


def _skirt(rng: np.random.Generator) -> Style:
    family, lower = _below(rng)
    return Style(
        kind="skirt", family=family, loose=float(rng.uniform(0.02, 0.12)), waist=float(rng.uniform(1.0, 1.7)), **lower
    )


def _dress(rng: np.random.Generator) -> Style:
    upper = _upper(rng)
    family, lower = _below(rng)
    # a dress is held out for its skirt or for its upper part
    upper["family"] = upper["family"] if upper["family"] in HELD_OUT else family
    upper["loose"] *= 0.7
    return Style(kind="dress", **upper, **lower, cinch=float(rng.choice([0.0, rng.uniform(0.4, 1.0)], p=[0.4, 0.6])))


def womens(style: Style) -> bool:
    """Whether the style is worn by women, as wardrobes mostly have it."""
    return style.kind in ("skirt", "dress") or style.sleeve == "strap" or (style.kind == "top" and style.hem > 0.7)
