"""Prints on the chest: which words, emblems and pictures there are, and which one is drawn.

Lengths in dm, colours sRGB-encoded in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .colours import Colour, companions, lightness


@dataclass(frozen=True)
class Print:
    """A picture or words on the chest."""

    lines: tuple[str, ...] = ()  # words, one string a line
    emblem: str = ""  # of EMBLEMS, above the words
    picture: str = ""  # landscape, shapes or grain: a printed picture, above the words
    style: str = "solid"  # of the words: solid, outline, italic, wide, condensed, arc
    colours: tuple[Colour, ...] = ((0.1, 0.1, 0.1),)
    centre: tuple[float, float] = (0.0, 3.5)  # x, y in dm
    width: float = 2.2  # dm
    worn: float = 0.0  # part of the ink that is gone
    seed: int = 0


WORDS = (
    "NORTH", "RIVER", "MOON", "SURF", "HELLO", "SUNDAY", "COAST", "STUDIO", "WILD", "FOREST", "OCEAN", "GOOD", "DAYS",
    "SLOW", "CLUB", "TEAM", "RUN", "CITY", "LAKE", "PINE", "SUMMER", "WINTER", "VALLEY", "HARBOR", "ISLAND", "DREAM",
    "SMILE", "SUNNY", "MOUNTAIN", "ORIGINAL", "CLASSIC", "VINTAGE", "ATLAS", "ORBIT", "COMET", "DELTA", "AMBER",
    "CORAL", "EMBER", "MAPLE", "WILLOW", "CEDAR", "JUNIPER", "ALWAYS", "MAYBE", "TODAY", "TOMORROW", "NOON", "COFFEE",
    "BREAD", "LEMON", "PEACH", "CHERRY", "BONJOUR", "CIAO", "HOLA", "PARK", "GARDEN", "MUSIC", "DANCE", "PAPER",
    "CLOUD", "RAIN", "STORM", "WAVE", "SALT", "SAND", "STONE", "RADIO", "CINEMA", "CAMP", "TRAIL", "RIDE", "SAIL",
    "CLIMB", "SWIM", "WANDER", "EXPLORE", "RELAX", "BREATHE", "NATURE", "EARTH", "SOLAR", "LUNAR", "POLAR", "DESERT",
    "CANYON", "PACIFIC", "ALPINE", "Kyoto", "Lisbon", "Oslo", "Napoli", "Berlin", "Nairobi", "Lima", "Quito", "1987",
    "1992", "2004", "07", "23", "88", "No.5", "Vol.2",
)  # fmt: skip
_SMALL = (
    "EST. 1998", "since 1974", "athletic dept.", "sports club", "good times only", "open every day", "take it easy",
    "made for summer", "west coast", "outdoor series", "limited", "handmade", "be kind", "out of office", "field notes",
    "team spirit", "keep going", "collection 02", "the long way home", "all year round",
)  # fmt: skip
EMBLEMS = (
    "disc", "ring", "star", "mountains", "waves", "shield", "diamond", "heart", "leaf", "bolt", "sunrise", "moon",
    "flower", "arrow", "bars", "tree",
)  # fmt: skip


def weighted(rng: np.random.Generator, items: Sequence, weights: Sequence[float]):
    """One of the items, as often as its weight says."""
    return items[int(rng.choice(len(items), p=np.array(weights, float) / sum(weights)))]


def _ink(rng: np.random.Generator, ground: Colour) -> tuple[Colour, ...]:
    """Colours of a print that stand out on ``ground``."""
    light = lightness(ground)
    if rng.random() < 0.55:
        first = (
            (0.96, 0.95, 0.93) if light < 58 else tuple(float(v) for v in rng.choice(((0.08,) * 3, (0.1, 0.13, 0.25))))
        )
        return (first, *companions(rng, ground, 3, 30))
    return companions(rng, ground, 4, 38)


def sample_print(rng: np.random.Generator, ground: Colour, *, small: bool) -> Print:
    """Draw a print that stands out on ``ground``; a small one is a logo on the wearer's left."""
    colours, seed = _ink(rng, ground), int(rng.integers(2**31))
    word = str(rng.choice(WORDS))
    emblem = str(rng.choice(EMBLEMS))
    worn = float(rng.uniform(0.05, 0.35)) if rng.random() < 0.25 else 0.0
    if small:  # a logo on the wearer's left
        width = float(rng.uniform(0.35, 0.75))
        lines, emblem = ((word,), "") if rng.random() < 0.4 else ((), emblem)
        return Print(
            lines,
            emblem,
            "",
            "solid",
            colours,
            (float(rng.uniform(0.85, 1.15)), float(rng.uniform(3.6, 4.1))),
            width,
            worn,
            seed,
        )
    layout = weighted(rng, ("word", "words", "emblem", "both", "picture", "caption"), (28, 16, 14, 20, 10, 12))
    style = weighted(rng, ("solid", "outline", "italic", "wide", "condensed", "arc"), (42, 10, 14, 12, 12, 10))
    lines: tuple[str, ...] = ()
    if layout in ("word", "both"):
        lines = (word,)
    elif layout == "words":
        lines = (word, str(rng.choice(WORDS))) if rng.random() < 0.5 else (word, str(rng.choice(_SMALL)))
    elif layout == "caption":
        lines = (word, str(rng.choice(_SMALL)))
    picture = str(rng.choice(("landscape", "shapes", "grain"))) if layout in ("picture", "caption") else ""
    width = {"emblem": rng.uniform(1.1, 2.2), "picture": rng.uniform(1.6, 2.5), "caption": rng.uniform(1.6, 2.5)}
    return Print(
        lines, emblem if layout in ("emblem", "both") else "", picture, style, colours,
        (0.0, float(rng.uniform(2.7, 3.5))), float(width.get(layout, rng.uniform(1.5, 2.8))), worn, seed,
    )  # fmt: skip


def legible(art: Print, ground: Colour) -> Print:
    """The same print with a first ink that can be seen on ``ground``."""
    light = lightness(ground)
    if abs(lightness(art.colours[0]) - light) >= 18:
        return art
    ink = (0.95, 0.95, 0.93) if light < 55 else (0.1, 0.1, 0.12)
    return replace(art, colours=(ink, *art.colours[1:]))
