"""What a tailor adds to the cloth: ribs, seams, plackets, pockets, prints, waistbands; and the painted panel.

Every line and area is laid from signed distances and covers a texel by the part of it that it really takes, so
that details fade out with the resolution instead of breaking up. Lengths in dm, colours sRGB-encoded in [0, 1].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vto_utils.errors import InputError
from vto_utils.synth import fabrics
from vto_utils.synth.fabrics import KINDS, Colour, FabricSpec, PanelMaps

_HIP = 2.6  # half the width of a pair of trousers laid flat, at the pockets
_LEG = 1.4  # |x| of the middle of a trouser leg
_DENSITY = 128  # texels per dm a print is drawn with
_BORDER = 0.06  # empty rim of a print's picture, as a part of the print's width


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


@dataclass(frozen=True)
class Details:
    """Everything on a garment besides its cloth; nothing by default.

    ``dataclasses.asdict`` makes it JSON; :meth:`from_dict` reads it back.
    """

    kind: str = "top"  # top, trousers, skirt, dress
    neck_rib: float = 0.0  # dm, width of the knitted or bound edge; 0: turned in and stitched
    cuff_rib: float = 0.0
    hem_rib: float = 0.0
    trim: Colour | None = None  # colour of the edges named in trim_at; None: the cloth's own
    trim_at: tuple[str, ...] = ()  # neck, cuff, hem
    tipping: Colour | None = None  # two thin lines in the ribs
    stitching: Colour | None = None  # colour of the thread; None: the cloth's own, a little darker
    seams: bool = True  # armholes, hems and edges are seen
    sleeve_colour: Colour | None = None
    raglan: bool = False  # sleeves reach up to the neck
    sleeve_band: float = 0.0  # dm, width of a band round the sleeve
    chest_band: tuple[float, float] = (0.0, 0.0)  # y and width in dm of a band across the chest
    accent: Colour = (0.5, 0.5, 0.5)  # of the bands, the pocket, the belt
    yoke: float = 0.0  # y of a seam across the shoulders; 0: none
    yoke_colour: Colour | None = None
    placket: str = "none"  # none, polo, henley, shirt, zip, half zip
    buttons: int = 0
    button_colour: Colour = (0.92, 0.91, 0.88)
    pocket: str = "none"  # none, chest, flap, two, kangaroo
    pocket_colour: Colour | None = None
    drawstring: Colour | None = None
    label: Colour | None = None  # woven label inside the neck or on the waistband, seen on the back
    print: Print | None = None
    waistband: float = 0.0  # dm
    elastic: bool = False  # gathered waistband
    fly: bool = False
    pockets: str = "none"  # of trousers and skirts: none, slant, jeans, cargo
    loops: bool = False
    crease: float = 0.0  # depth of an ironed crease down the legs, 0 to 1
    waist_seam: float = 0.0  # y of a dress's waist; 0: none
    belt: float = 0.0  # dm, width of a belt
    pleats: float = 0.0  # dm between pleats; 0: none
    pleat_depth: float = 0.0  # 0 to 1

    @classmethod
    def from_dict(cls, values: Mapping) -> Details:
        """The inverse of ``dataclasses.asdict``, also after a trip through JSON."""

        def tuples(value):
            return tuple(tuples(part) for part in value) if isinstance(value, (list, tuple)) else value

        fields = {name: tuples(value) for name, value in values.items()}
        if fields.get("print"):
            fields["print"] = Print(**{name: tuples(value) for name, value in fields["print"].items()})
        return cls(**fields)


# --------------------------------------------------------------------------------------------------- sampling

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


def _choice(rng: np.random.Generator, items: Sequence, weights: Sequence[float]):
    return items[int(rng.choice(len(items), p=np.array(weights, float) / sum(weights)))]


def _ink(rng: np.random.Generator, ground: Colour) -> tuple[Colour, ...]:
    """Colours of a print that stand out on ``ground``."""
    light = fabrics.lightness(ground)
    if rng.random() < 0.55:
        first = (
            (0.96, 0.95, 0.93) if light < 58 else tuple(float(v) for v in rng.choice(((0.08,) * 3, (0.1, 0.13, 0.25))))
        )
        return (first, *fabrics.companions(rng, ground, 3, 30))
    return fabrics.companions(rng, ground, 4, 38)


def _sample_print(rng: np.random.Generator, ground: Colour, *, small: bool) -> Print:
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
    layout = _choice(rng, ("word", "words", "emblem", "both", "picture", "caption"), (28, 16, 14, 20, 10, 12))
    style = _choice(rng, ("solid", "outline", "italic", "wide", "condensed", "arc"), (42, 10, 14, 12, 12, 10))
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


_BUSY = frozenset(fabrics.FAMILIES) - {"plain", "heather", "colour block", "gradient", "tie dye", "linen", "denim"}


def sample_details(
    rng: np.random.Generator, kind: str, neckline: str = "crew", *, fabric: FabricSpec | None = None
) -> Details:
    """Draw the details of one garment.

    Args:
        rng: random numbers.
        kind: ``top``, ``trousers``, ``skirt`` or ``dress``.
        neckline: the cut of the neck: ``crew``, ``v``, ``polo``, ``high``, ``shirt`` or ``hood``; any other is
            taken as a plain edge. Trousers and skirts do not use it.
        fabric: the cloth, which decides about colours and whether there is a print; None: a grey one.

    Raises:
        InputError: for an unknown kind.
    """
    if kind not in KINDS:
        raise InputError(f'There is no kind of garment "{kind}"; use one of {", ".join(KINDS)}.')
    fabric = fabric or FabricSpec("plain")
    if kind == "trousers":
        return _sample_trousers(rng, fabric)
    if kind == "skirt":
        return _sample_skirt(rng, fabric)
    return _sample_upper(rng, kind, neckline, fabric)


def _sample_upper(rng: np.random.Generator, kind: str, neckline: str, fabric: FabricSpec) -> Details:
    ground = fabric.colours[0]
    accents = fabrics.companions(rng, ground, 2, 22)
    accent = (
        fabric.colours[1] if fabric.family in _BUSY and rng.random() < 0.7 and len(fabric.colours) > 1 else accents[0]
    )
    fields: dict = {"kind": kind, "accent": accent, "label": _label(rng, ground)}
    draw = rng.random(12)
    knit = fabric.finish in ("jersey", "fleece", "rib", "knit", "photo")
    # edges
    if neckline == "high":
        fields["neck_rib"] = float(rng.uniform(0.45, 0.8))
    elif neckline in ("crew", "v", "hood") and knit:
        fields["neck_rib"] = float(rng.uniform(0.14, 0.28))
    elif draw[0] < 0.5:
        fields["neck_rib"] = float(rng.uniform(0.08, 0.13))
    sweater = knit and kind == "top" and (neckline == "hood" or draw[1] < (0.5 if fabric.finish != "jersey" else 0.14))
    if sweater:
        fields["cuff_rib"], fields["hem_rib"] = (float(value) for value in rng.uniform(0.4, 0.75, 2))
    elif neckline == "polo":
        fields["cuff_rib"] = float(rng.uniform(0.15, 0.25)) if draw[1] < 0.6 else 0.0
    if draw[2] < 0.13 and fabric.family != "photo":
        fields["trim"] = accent
        fields["trim_at"] = _choice(rng, (("neck",), ("neck", "cuff"), ("neck", "cuff", "hem")), (30, 50, 20))
        fields["cuff_rib"] = fields.get("cuff_rib") or float(rng.uniform(0.12, 0.22))
        fields["neck_rib"] = fields.get("neck_rib") or 0.15
        if "hem" in fields["trim_at"]:
            fields["hem_rib"] = fields.get("hem_rib") or float(rng.uniform(0.1, 0.5))
    elif draw[2] < 0.17 and fields.get("cuff_rib"):
        fields["tipping"] = accents[1]
    if draw[3] < 0.05:
        fields["stitching"] = accent
    # closures
    shirt = neckline == "shirt" or (neckline == "polo" and draw[4] < (0.25 if knit else 0.7))
    if shirt:
        fields.update(placket="shirt", buttons=int(rng.integers(6, 9)), yoke=float(rng.uniform(4.3, 4.7)))
    elif neckline == "polo":
        placket = _choice(rng, ("polo", "half zip", "zip"), (82, 9, 9))
        fields.update(placket=placket, buttons=int(rng.integers(2, 4)))
    elif kind == "top" and draw[4] < 0.14:
        placket = _choice(rng, ("henley", "zip", "half zip", "shirt"), (40, 22, 18, 20))
        count = {"henley": int(rng.integers(2, 5)), "shirt": int(rng.integers(5, 8))}.get(placket, 0)
        fields.update(placket=placket, buttons=count)
    elif kind == "dress" and draw[4] < 0.14:
        fields.update(placket="shirt", buttons=int(rng.integers(7, 12)))
    fields["button_colour"] = _choice(
        rng, ((0.93, 0.92, 0.89), (0.12, 0.12, 0.13), (0.36, 0.24, 0.16), ground, accent), (45, 15, 15, 20, 5)
    )
    # pieces of other cloth
    plain = fabric.family not in _BUSY
    if kind == "top" and plain and draw[5] < 0.09:
        fields.update(sleeve_colour=accents[0], raglan=bool(draw[6] < 0.45))
        if draw[6] < 0.7 and "trim" not in fields and fields.get("neck_rib"):
            fields.update(trim=accents[0], trim_at=("neck",))
    elif kind == "top" and draw[5] < 0.12:
        fields["raglan"] = True
    elif plain and draw[5] < 0.15:
        fields["sleeve_band"] = float(rng.uniform(0.12, 0.5))
    elif plain and draw[5] < 0.19 and kind == "top" and not shirt:
        fields["chest_band"] = (float(rng.uniform(2.6, 3.8)), float(rng.uniform(0.3, 1.1)))
    elif plain and draw[5] < 0.21:
        fields.update(yoke=float(rng.uniform(4.0, 4.6)), yoke_colour=accents[0])
    # pockets
    if neckline == "hood" or (sweater and draw[7] < 0.06):
        fields.update(pocket="kangaroo", drawstring=_choice(rng, (ground, (0.93, 0.93, 0.92), accent), (50, 35, 15)))
    elif kind == "top" and draw[7] < (0.4 if shirt else 0.1):
        fields["pocket"] = _choice(rng, ("chest", "flap", "two"), (70, 15, 20 * shirt))
        fields["pocket_colour"] = accent if plain and draw[8] < 0.15 else None
    if kind == "dress":
        if draw[9] < 0.45:
            fields["waist_seam"] = float(rng.uniform(1.0, 1.7))
            fields["belt"] = float(rng.uniform(0.2, 0.45)) if draw[9] < 0.13 else 0.0
        if draw[10] < 0.12:
            fields.update(pleats=float(rng.uniform(0.35, 0.9)), pleat_depth=float(rng.uniform(0.3, 1)))
    free = fields.get("placket", "none") == "none" and fields.get("pocket", "none") in ("none", "kangaroo")
    chance = (0.42 if plain else 0.03 if fabric.family in ("stripe", "breton", "camouflage") else 0.0) * (kind == "top")
    logo = _sample_print(rng, ground, small=bool(draw[8] > 0.84 or not free or not plain))
    if draw[11] < chance + 0.03 * (kind == "dress" and plain) and "chest_band" not in fields and not shirt:
        fields["print"] = logo
    return Details(**fields)


def _label(rng: np.random.Generator, ground: Colour) -> Colour | None:
    return _choice(rng, ((0.9, 0.9, 0.88), (0.1, 0.1, 0.11), ground), (50, 30, 20)) if rng.random() < 0.75 else None


def _sample_trousers(rng: np.random.Generator, fabric: FabricSpec) -> Details:
    accents = fabrics.companions(rng, fabric.colours[0], 1, 22)
    fields: dict = {"kind": "trousers", "accent": accents[0], "label": _label(rng, fabric.colours[0])}
    denim = fabric.finish == "denim"
    if denim:
        style = "jeans"
    elif fabric.finish in ("jersey", "fleece", "rib", "knit"):
        style = _choice(rng, ("jogger", "leggings", "chino"), (50, 25, 25))
    else:
        style = _choice(rng, ("chino", "suit", "jogger", "cargo", "jeans"), (46, 20, 14, 8, 12))
    belt = float(rng.uniform(0.28, 0.4)) if rng.random() < 0.08 else 0.0
    if style in ("jeans", "chino", "cargo"):
        fields.update(
            waistband=float(rng.uniform(0.34, 0.46)), fly=True, loops=True, buttons=1, belt=belt,
            pockets={"jeans": "jeans", "cargo": "cargo"}.get(style, "slant"),
            button_colour=_choice(rng, ((0.62, 0.5, 0.33), (0.6, 0.6, 0.6), (0.35, 0.3, 0.26)), (50, 30, 20)),
        )  # fmt: skip
        if style == "jeans":
            light = fabrics.lightness(fabric.colours[0])
            gold = ((0.72, 0.53, 0.28), (0.78, 0.62, 0.4), (0.85, 0.82, 0.74))
            worn = denim and 12 < light < 88 and rng.random() < 0.85
            fields["stitching"] = _choice(rng, gold, (50, 35, 15)) if worn else None
        elif style == "chino":
            fields["crease"] = float(rng.uniform(0.3, 1)) * (rng.random() < 0.3)
    elif style == "suit":
        fields.update(
            waistband=float(rng.uniform(0.35, 0.45)), fly=True, loops=bool(rng.random() < 0.8), belt=belt, buttons=1,
            pockets="slant", crease=float(rng.uniform(0.6, 1)), button_colour=(0.2, 0.2, 0.21),
        )  # fmt: skip
    else:
        cord = _choice(rng, (fabric.colours[0], (0.93, 0.93, 0.92), accents[0]), (45, 40, 15))
        fields.update(waistband=float(rng.uniform(0.35, 0.6)), elastic=True)
        if style == "jogger":
            fields.update(
                pockets="slant" if rng.random() < 0.8 else "none", drawstring=cord if rng.random() < 0.7 else None,
                hem_rib=float(rng.uniform(0.4, 0.7)) if rng.random() < 0.5 else 0.0,
            )  # fmt: skip
    return Details(**fields)


def _sample_skirt(rng: np.random.Generator, fabric: FabricSpec) -> Details:
    accents = fabrics.companions(rng, fabric.colours[0], 1, 22)
    fields: dict = {"kind": "skirt", "accent": accents[0], "label": _label(rng, fabric.colours[0])}
    draw = rng.random(4)
    denim = fabric.finish in ("denim", "corduroy", "leather")
    fields["elastic"] = bool(draw[0] < (0.0 if denim else 0.35))
    fields["waistband"] = float(rng.uniform(0.25, 0.5))
    if denim:
        fields.update(loops=True, pockets="jeans" if draw[1] < 0.6 else "none", fly=bool(draw[1] < 0.5), buttons=1)
        fields["button_colour"] = (0.62, 0.5, 0.33)
        if fabric.finish == "denim" and draw[2] < 0.8:
            fields["stitching"] = (0.74, 0.56, 0.32)
    elif draw[1] < 0.3:
        fields.update(pleats=float(rng.uniform(0.3, 0.9)), pleat_depth=float(rng.uniform(0.4, 1)))
    if not fields.get("fly") and draw[3] < 0.15:
        fields.update(
            placket="shirt",
            buttons=int(rng.integers(5, 9)),
            button_colour=_choice(rng, ((0.36, 0.24, 0.16), (0.92, 0.9, 0.86)), (1, 1)),
        )
    elif draw[3] < 0.24:
        fields["belt"] = float(rng.uniform(0.2, 0.4))
    return Details(**fields)


# ---------------------------------------------------------------------------------------------------- painting


class _Panel:
    """A panel being painted: its colours, its height, and strokes given by distances in dm."""

    def __init__(self, maps: PanelMaps, albedo: np.ndarray) -> None:
        self.maps, self.scale = maps, float(maps.scale)
        self.albedo = albedo
        self.height = np.zeros(maps.x.shape, np.float32)

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """Part of each texel where ``distance`` is positive."""
        return np.clip(distance * np.float32(self.scale) + np.float32(0.5), 0, 1)

    def line(self, distance: np.ndarray, at: float, width: float) -> np.ndarray:
        """Part of each texel on a line ``width`` wide along ``distance == at``."""
        half = np.float32(0.5 / self.scale)
        away = np.abs(distance - np.float32(at))
        return np.clip((np.float32(width / 2) + half - away) * np.float32(self.scale), 0, min(1.0, width * self.scale))

    def fade(self, pitch: float) -> float:
        """What is left of the contrast of a wave ``pitch`` dm long once texels average over it."""
        texels = pitch * self.scale
        return float(np.sinc(1 / texels) * np.clip(texels - 2, 0, 1)) if texels > 2 else 0.0

    def _window(self, cover: np.ndarray) -> tuple[slice, slice] | None:
        rows = np.flatnonzero(cover.any(1))
        if not len(rows):
            return None
        columns = np.flatnonzero(cover[rows[0] : rows[-1] + 1].any(0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    def tint(self, cover: np.ndarray, colour: Sequence[float] | np.ndarray) -> None:
        """Lay a colour over the covered part; also an (H, W, 3) picture."""
        if (window := self._window(cover)) is None:
            return
        colour = np.asarray(colour, np.float32)
        part = self.albedo[window]
        part += ((colour[window] if colour.ndim == 3 else colour) - part) * cover[window][..., None]

    def shade(self, cover: np.ndarray, factor: float) -> None:
        """Darken (below 1) or lighten the covered part."""
        if (window := self._window(cover)) is not None:
            self.albedo[window] *= (1 + np.float32(factor - 1) * cover[window])[..., None]

    def lift(self, cover: np.ndarray, height: float) -> None:
        """Raise the covered part by ``height`` dm."""
        if (window := self._window(cover)) is not None:
            self.height[window] += np.float32(height) * cover[window]

    def seam(
        self, distance: np.ndarray, at: float = 0.0, where: np.ndarray | float = 1.0, strength: float = 1.0
    ) -> None:
        """Two pieces sewn together: a dark fine groove."""
        cover = self.line(distance, at, 0.018) * where
        self.shade(cover, 1 - 0.38 * strength)
        self.lift(self.line(distance, at, 0.05) * where, -0.008 * strength)

    def stitch(self, distance: np.ndarray, at: float, colour: Colour | None, where: np.ndarray | float = 1.0) -> None:
        """A row of stitches; ``colour`` None is thread of the cloth's own colour."""
        cover = self.line(distance, at, 0.014 if colour is None else 0.02) * where
        if colour is None:
            self.shade(cover, 0.78)
        else:
            self.tint(cover * np.float32(0.85), colour)
        self.lift(self.line(distance, at, 0.035) * where, -0.004)

    def ribs(self, cover: np.ndarray, position: np.ndarray, pitch: float, contrast: float = 0.07) -> None:
        """Knitted ribs across ``position``."""
        left = self.fade(pitch)
        if left > 0:
            wave = np.cos(position * np.float32(2 * math.pi / pitch)) * cover
            if (window := self._window(cover)) is not None:
                self.albedo[window] *= (1 + np.float32(contrast * left) * wave[window])[..., None]
                self.height[window] += np.float32(0.006 * left) * wave[window]

    def button(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A round button with its rim, four holes' shade and the shade it throws."""
        maps = self.maps
        reach = np.hypot(maps.x - np.float32(x), maps.y - np.float32(y))
        below = np.hypot(maps.x - np.float32(x + 0.012), maps.y - np.float32(y - 0.02))
        self.shade(np.clip((np.float32(radius + 0.04) - below) / np.float32(0.05), 0, 1), 0.72)
        disc = self.inside(np.float32(radius) - reach)
        self.tint(disc, colour)
        self.shade(self.line(reach, radius * 0.8, radius * 0.18) * disc, 0.84)
        self.shade(self.inside(np.float32(radius * 0.3) - reach), 0.72)
        self.lift(disc, 0.012)


def paint(spec: FabricSpec, details: Details, maps: PanelMaps) -> tuple[np.ndarray, np.ndarray]:
    """Paint one panel.

    Args:
        spec: the cloth.
        details: what is sewn and printed on it.
        maps: where the texels are; for trousers and skirts ``maps.neck`` is the distance to the waist edge.

    Returns:
        The albedo, (H, W, 3) float32 sRGB-encoded RGB in [0, 1], and the relief of yarns, ribs, seams and
        buttons, (H, W) float32 in dm.
    """
    panel = _Panel(maps, fabrics.pattern(spec, maps))
    ground = spec.colours[0]
    front = maps.side == "front"
    _pieces(panel, details, front)
    edges = _edges(panel, details)
    shade, relief = fabrics.yarns(spec, maps)
    panel.albedo *= shade[..., None]
    panel.height += relief
    if details.print is not None and front:
        _lay_print(panel, details.print, ground)
    if details.kind in ("top", "dress"):
        _upper(panel, details, edges, front)
    else:
        _lower(panel, spec, details, front)
    if details.pleats:
        _pleats(panel, details)
    if details.belt:
        _belt(panel, details, front)
    return np.clip(panel.albedo, 0, 1), panel.height


def _pieces(panel: _Panel, details: Details, front: bool) -> None:
    """Pieces cut from cloth of another colour."""
    maps = panel.maps
    if details.sleeve_colour is not None and maps.sleeve.any():
        sleeve = fabrics.sleeves(maps)
        if details.raglan:
            sleeve = np.maximum(sleeve, panel.inside(_raglan(maps)))
        panel.tint(sleeve, details.sleeve_colour)
    if details.yoke and details.yoke_colour is not None:
        panel.tint(panel.inside(maps.y - np.float32(details.yoke)) * (1 - fabrics.sleeves(maps)), details.yoke_colour)
    if details.chest_band[1] > 0:
        y, width = details.chest_band
        panel.tint(panel.line(maps.y, y, width) * (1 - fabrics.sleeves(maps)), details.accent)
    if details.sleeve_band > 0:
        at = max(0.5, details.cuff_rib + 0.3) + details.sleeve_band / 2
        panel.tint(panel.line(maps.cuff, at, details.sleeve_band) * fabrics.sleeves(maps), details.accent)


def _raglan(maps: PanelMaps) -> np.ndarray:
    """Signed dm to the raglan seam, from the neck down to the armpit; positive towards the sleeve."""
    return (np.abs(maps.x) - np.float32(0.85) - (np.float32(5.6) - maps.y) * np.float32(0.62)) * np.float32(0.85)


def _edges(panel: _Panel, details: Details) -> dict[str, np.ndarray]:
    """Ribs and bound edges at neck, cuff and hem: how much they cover; trim colours laid."""
    maps = panel.maps
    found = {}
    for name, distance, width in (
        ("neck", maps.neck, details.neck_rib if details.kind in ("top", "dress") else 0.0),
        ("cuff", maps.cuff, _cuff(details, maps)),
        ("hem", maps.hem, details.hem_rib),
    ):
        if width <= 0:
            continue
        cover = panel.inside(np.float32(width) - distance)
        found[name] = cover
        if details.trim is not None and name in details.trim_at:
            panel.tint(cover, details.trim)
        if details.tipping is not None:
            for at in (0.45, 0.7):
                panel.tint(panel.line(distance, width * at, width * 0.1), details.tipping)
    return found


def _cuff(details: Details, maps: PanelMaps) -> float:
    """Width of the cuffs' ribs: narrow at an armhole, at most a quarter of a short sleeve."""
    sleeve = maps.sleeve > 0.5
    length = float(maps.cuff[sleeve].max()) if sleeve.any() else 0.5
    return min(details.cuff_rib, 0.25 * length)


def _upper(panel: _Panel, details: Details, edges: dict[str, np.ndarray], front: bool) -> None:
    maps = panel.maps
    thread = details.stitching
    if "neck" in edges:
        turn = np.arctan2(maps.x, maps.y - np.float32(6.4)) * np.float32(0.95)
        if details.neck_rib > 0.12:
            panel.ribs(edges["neck"], turn, 0.045)
        panel.shade(edges["neck"], 0.97)
        panel.lift(edges["neck"], 0.008)
        panel.seam(maps.neck, details.neck_rib, strength=0.9)
        panel.stitch(maps.neck, details.neck_rib + 0.06, thread)
    elif details.seams:
        panel.stitch(maps.neck, 0.1, thread)
    for name, distance in (("cuff", maps.cuff), ("hem", maps.hem)):
        width = _cuff(details, maps) if name == "cuff" else details.hem_rib
        if name in edges:
            panel.ribs(edges[name], maps.across, 0.05)
            panel.seam(distance, width)
        elif details.seams:
            fold = 0.22 if name == "hem" else 0.18
            panel.stitch(distance, fold, thread)
            panel.stitch(distance, fold - 0.05, thread)
            panel.lift(panel.inside(np.float32(fold) - distance), 0.006)
    if details.seams:
        if details.raglan and maps.sleeve.any():
            body = 1 - maps.sleeve
            panel.seam(_raglan(maps), where=body * (maps.y > 3.0))
        elif maps.sleeve.any():
            panel.seam(maps.armhole)
            panel.stitch(maps.armhole, -0.05, thread) if thread is not None else None
    if details.yoke:
        body = 1 - maps.sleeve
        panel.seam(maps.y, details.yoke, body)
        panel.stitch(maps.y, details.yoke - 0.04, thread, body)
    if details.waist_seam:
        panel.seam(maps.y, details.waist_seam, 1 - maps.sleeve)
    if not front:
        _back_neck(panel, details)
        return
    if details.pocket in ("chest", "flap", "two"):
        _chest_pocket(panel, details, 1.05)
        if details.pocket == "two":
            _chest_pocket(panel, details, -1.05)
    elif details.pocket == "kangaroo":
        _kangaroo(panel, details)
    if details.placket != "none":
        _placket(panel, details)
    if details.drawstring is not None:
        top = _top(maps)
        for x, length in ((0.42, 1.7), (-0.45, 1.85)):
            _cord(panel, details.drawstring, x, top - 0.1, top - length)


def _back_neck(panel: _Panel, details: Details) -> None:
    """The label under the collar of the back panel, as an open neck shows it."""
    if details.label is None:
        return
    maps = panel.maps
    top = _top(maps) - max(details.neck_rib, 0.08) - 0.05
    box = np.minimum(np.float32(0.26) - np.abs(maps.x), np.float32(0.13) - np.abs(maps.y - np.float32(top - 0.13)))
    panel.tint(panel.inside(box), details.label)
    panel.shade(panel.line(box, 0.0, 0.015), 0.8)


def _top(maps: PanelMaps) -> float:
    """Height of the lowest point of the edge in the middle of the panel."""
    near = (np.abs(maps.x) < max(0.08, 1.5 / maps.scale)) & (maps.sleeve < 0.5)
    edge = np.minimum(maps.neck[near], maps.cuff[near])  # a bodice on straps has its upper edge in ``cuff``
    found = maps.y[near][(edge > 0) & (edge < 0.4)]
    return float(found.max()) if len(found) else 4.9


def _bottom(maps: PanelMaps) -> float:
    near = np.abs(maps.x) < max(0.08, 1.5 / maps.scale)
    found = maps.y[near][(maps.hem[near] > 0) & (maps.hem[near] < 0.4)]
    return float(found.min()) if len(found) else -0.3


def _placket(panel: _Panel, details: Details) -> None:
    """Buttons or a zip down the front."""
    maps = panel.maps
    x = np.abs(maps.x)
    waist = details.kind == "skirt"
    top, bottom = _top(maps), _bottom(maps) + 0.02
    if waist:
        top -= 0.05
    half = 0.15 if details.placket in ("polo", "henley") else 0.17
    if details.placket in ("polo", "henley", "half zip"):
        bottom = top - (0.45 * details.buttons + 0.3 if details.placket != "half zip" else 1.7)
    inside = panel.inside(np.minimum(maps.y - np.float32(bottom), np.float32(top) - maps.y)) * panel.inside(maps.neck)
    if "zip" in details.placket:
        panel.shade(panel.line(maps.x, 0.0, 0.3) * inside, 0.96)
        panel.lift(panel.line(maps.x, 0.0, 0.3) * inside, 0.006)
        panel.seam(x, 0.15, inside)
        panel.shade(panel.line(maps.x, 0.0, 0.09) * inside, 0.55)
        metal = panel.line(maps.x, 0.0, 0.045) * inside
        panel.tint(metal * np.float32(0.75), _tooth(details))
        panel.ribs(metal, maps.y, 0.03, 0.3)
        pull = np.minimum(np.float32(0.035) - x, np.float32(0.11) - np.abs(maps.y - np.float32(top - 0.2)))
        panel.tint(panel.inside(pull), _tooth(details))
        return
    strip = panel.line(maps.x, 0.0, 2 * half) * inside
    if details.trim is not None and details.placket in ("polo", "henley") and "neck" in details.trim_at:
        panel.tint(strip * np.float32(0.98), details.trim)
    panel.lift(strip, 0.008)
    panel.seam(maps.x, half, inside)
    panel.seam(maps.x, -half, inside, 0.5)
    panel.stitch(maps.x, half - 0.035, details.stitching, inside)
    panel.stitch(maps.x, -half + 0.035, details.stitching, inside)
    if details.placket in ("polo", "henley"):
        end = panel.line(maps.x, 0.0, 2 * half)
        panel.seam(maps.y, bottom, end, 0.7)
        panel.stitch(maps.y, bottom + 0.12, details.stitching, end)
    count = max(details.buttons, 1)
    first = top - (0.12 if details.placket == "shirt" else 0.22)
    last = bottom + (0.5 if details.placket == "shirt" else 0.2)
    for y in np.linspace(first, last, count) if count > 1 else (first,):
        panel.button(0.0, float(y), 0.058 if details.kind != "skirt" else 0.09, details.button_colour)


def _tooth(details: Details) -> Colour:
    return (0.72, 0.72, 0.72) if fabrics.lightness(details.button_colour) > 40 else (0.2, 0.2, 0.21)


def _box(maps: PanelMaps, x: float, top: float, half: float, tall: float, point: float) -> np.ndarray:
    """Signed distance, positive inside, to a pocket with a pointed bottom."""
    away = np.abs(maps.x - np.float32(x))
    low = maps.y - np.float32(top - tall)
    return np.minimum(
        np.minimum(np.float32(half) - away, np.float32(top) - maps.y), low - np.float32(point / half) * away
    )


def _chest_pocket(panel: _Panel, details: Details, x: float) -> None:
    maps = panel.maps
    box = _box(maps, x, 4.0, 0.52, 1.15, 0.14)
    cover = panel.inside(box)
    if details.pocket_colour is not None:
        panel.tint(cover, details.pocket_colour)
    panel.lift(cover, 0.007)
    panel.seam(box, strength=0.7)
    panel.stitch(box, 0.045, details.stitching)
    mouth = cover * panel.inside(np.float32(0.52) - np.abs(maps.x - np.float32(x)))
    if details.pocket == "flap":
        flap = _box(maps, x, 4.05, 0.54, 0.42, 0.12)
        panel.shade(panel.inside(flap + np.float32(0.03)) * (1 - panel.inside(flap)), 0.8)
        panel.lift(panel.inside(flap), 0.008)
        panel.seam(flap)
        panel.stitch(flap, 0.045, details.stitching)
        panel.button(x, 3.74, 0.055, details.button_colour)
    else:
        panel.stitch(maps.y, 4.0 - 0.2, details.stitching, mouth)
        panel.shade(panel.line(maps.y, 4.0, 0.03) * mouth, 0.75)


def _kangaroo(panel: _Panel, details: Details) -> None:
    maps = panel.maps
    foot = _bottom(maps) + max(details.hem_rib, 0.1)
    away, up = np.abs(maps.x), maps.y - np.float32(foot)
    box = np.minimum(np.minimum(np.float32(1.55) - away, np.float32(1.75) - up), up)
    slope = (np.float32(2.35) - away - up * np.float32(0.8)) * np.float32(0.78)
    box = np.minimum(box, slope)
    panel.lift(panel.inside(box), 0.012)
    panel.seam(box)
    panel.stitch(box, 0.06, details.stitching)
    panel.shade(panel.line(slope, 0.0, 0.05) * panel.inside(box + np.float32(0.03)), 0.78)


def _cord(panel: _Panel, colour: Colour, x: float, top: float, bottom: float) -> None:
    maps = panel.maps
    sway = np.float32(x) + np.float32(0.04) * np.sin(maps.y * np.float32(2.2) + np.float32(x * 9))
    inside = panel.inside(np.minimum(np.float32(top) - maps.y, maps.y - np.float32(bottom))) * (maps.neck > 0)
    panel.shade(panel.line(maps.x - sway, 0.025, 0.11) * inside, 0.75)
    rope = panel.line(maps.x - sway, 0.0, 0.07) * inside
    panel.tint(rope, colour)
    panel.lift(rope, 0.02)
    tip = np.minimum(np.float32(0.04) - np.abs(maps.x - sway), np.float32(0.1) - np.abs(maps.y - np.float32(bottom)))
    panel.tint(panel.inside(tip), tuple(0.8 * value for value in colour))


def _lower(panel: _Panel, spec: FabricSpec, details: Details, front: bool) -> None:
    """Trousers and skirts."""
    maps = panel.maps
    thread = details.stitching
    band = details.waistband
    x, away, depth = maps.x, np.abs(maps.x), maps.neck
    below = panel.inside(depth - np.float32(band))
    if spec.fade > 0 and front and details.kind == "trousers":
        _faded(panel, spec.fade)
    if details.crease:
        crease = np.float32(0.6) * np.exp(-np.square((away - np.float32(_LEG)) / np.float32(0.05)))
        crease *= np.clip((np.float32(0.3) - maps.y) / np.float32(1.2), 0, 1)
        panel.lift(crease, 0.02 * details.crease)
        panel.shade(panel.line(away, _LEG + 0.02, 0.03) * (maps.y < 0), 1 - 0.12 * details.crease)
    if details.hem_rib:
        cover = panel.inside(np.float32(details.hem_rib) - maps.hem)
        panel.ribs(cover, x, 0.05)
        panel.seam(maps.hem, details.hem_rib)
    else:
        panel.stitch(maps.hem, 0.16 if thread is not None else 0.3, thread)
    if details.kind == "trousers":
        panel.seam(x, 0.0, below * panel.inside(maps.y + np.float32(1.2)), 0.8)
    if band > 0:
        cover = 1 - below
        panel.lift(cover, 0.008)
        panel.seam(depth, band)
        if details.elastic:
            panel.ribs(cover, x + np.float32(0.02) * np.sin(x * 31), 0.09, 0.1)
            panel.stitch(depth, band * 0.5, None)
        else:
            panel.stitch(depth, band - 0.035, thread)
            panel.stitch(depth, 0.035, thread)
    if front:
        _lower_front(panel, details, below)
    else:
        _lower_back(panel, details, below)
    if details.loops and not details.elastic:
        for at in (1.1, 2.2) if front else (0.0, 1.5):
            loop = np.minimum(np.float32(0.055) - np.abs(away - np.float32(at)), np.float32(band + 0.08) - depth)
            panel.shade(panel.inside(loop + np.float32(0.03)) * (1 - panel.inside(loop)), 0.82)
            panel.lift(panel.inside(loop), 0.012)
            panel.stitch(loop, 0.02, thread)
            panel.shade(panel.line(loop, 0.0, 0.012), 0.75)


def _lower_front(panel: _Panel, details: Details, below: np.ndarray) -> None:
    maps = panel.maps
    thread = details.stitching
    x, away, depth = maps.x, np.abs(maps.x), maps.neck
    if details.fly:
        run = below * panel.inside(np.float32(1.75) - depth)
        panel.seam(x, 0.0, run)
        # the curved stitches of the fly, on the wearer's left
        bow = np.float32(0.36) * np.sqrt(
            np.clip(1 - np.square(np.maximum(depth - np.float32(1.0), 0) / np.float32(0.75)), 0, 1)
        )
        side = run * (x > -0.02)
        panel.stitch(x - bow, 0.0, thread, side)
        if thread is not None:
            panel.stitch(x - bow, -0.05, thread, side)
        panel.stitch(x, 0.04, None, run)
    if details.pockets == "jeans":
        # an arc from the waistband to the side
        arc = (
            np.hypot(
                (away - np.float32(_HIP)) / np.float32(1.25), (depth - np.float32(details.waistband)) / np.float32(0.85)
            )
            - 1
        )
        arc = arc * np.float32(0.95)
        panel.seam(arc, 0.0, below)
        panel.shade(np.clip(-arc / np.float32(0.12), 0, 1) * panel.inside(-arc) * below, 0.95)
        panel.stitch(arc, 0.04, thread, below)
        panel.stitch(arc, 0.1, thread, below)
    elif details.pockets in ("slant", "cargo"):
        slant = (np.float32(1.4) - away) * np.float32(0.9) + (depth - np.float32(details.waistband)) * np.float32(0.42)
        where = below * panel.inside(np.float32(details.waistband + 1.5) - depth)
        panel.seam(slant, 0.0, where)
        panel.stitch(slant, 0.06, thread, where)
    if details.pockets == "cargo":
        for at in (-1, 1):
            box = np.minimum(
                np.float32(0.6) - np.abs(x - np.float32(at * (_HIP - 0.7))),
                np.float32(0.75) - np.abs(maps.y + np.float32(3.0)),
            )
            panel.lift(panel.inside(box), 0.015)
            panel.seam(box)
            panel.stitch(box, 0.05, thread)
            panel.seam(maps.y, -2.65, panel.inside(box))
    if details.placket == "shirt":
        _placket(panel, details)
    elif details.fly and details.buttons:
        middle = float(maps.y[(away < 0.1) & (depth > 0) & (depth < 0.3)].max(initial=-99.0)) - details.waistband / 2
        if middle > -50:
            panel.button(0.07, middle, 0.085, details.button_colour)
    if details.drawstring is not None:
        top = _top(maps)
        for at, length in ((0.12, 1.3), (-0.13, 1.15)):
            _cord(panel, details.drawstring, at, top - details.waistband * 0.5, top - length)


def _lower_back(panel: _Panel, details: Details, below: np.ndarray) -> None:
    maps = panel.maps
    thread = details.stitching
    x, away, depth = maps.x, np.abs(maps.x), maps.neck
    if details.pockets in ("jeans", "cargo"):
        yoke = depth - np.float32(details.waistband + 0.65) + away * np.float32(0.18)
        panel.seam(yoke, 0.0, below)
        panel.stitch(yoke, 0.045, thread, below)
        for at in (-1.1, 1.1):
            top = float(np.float32(details.waistband + 0.75))
            down = depth - np.float32(top)
            side = np.float32(0.62) - np.abs(x - np.float32(at)) - np.maximum(down, 0) * np.float32(0.06)
            foot = np.float32(1.45) - down - np.abs(x - np.float32(at)) * np.float32(0.35)
            box = np.minimum(np.minimum(side, down), foot)
            panel.lift(panel.inside(box), 0.01)
            panel.seam(box)
            panel.stitch(box, 0.045, thread)
            panel.stitch(down, 0.18, thread, panel.inside(box))
    elif details.pockets == "slant":
        for at in (-1.1, 1.1):
            welt = np.minimum(
                np.float32(0.6) - np.abs(x - np.float32(at)),
                np.float32(0.05) - np.abs(depth - np.float32(details.waistband + 0.9)),
            )
            panel.seam(welt, strength=0.8)
    if details.label is not None and details.waistband > 0.3 and details.pockets in ("jeans", "cargo"):
        patch = np.minimum(
            np.float32(0.3) - np.abs(x - np.float32(0.75)),
            np.float32(0.13) - np.abs(depth - np.float32(details.waistband / 2)),
        )
        leather = (0.5, 0.34, 0.2) if details.stitching is not None else details.label
        panel.tint(panel.inside(patch), leather)
        panel.shade(panel.line(patch, 0.0, 0.015), 0.75)


def _faded(panel: _Panel, amount: float) -> None:
    """Worn denim: paler at the thighs and knees, with whiskers at the hips."""
    maps = panel.maps
    away = np.abs(maps.x) - np.float32(_LEG)
    across = np.exp(-np.square(away / np.float32(0.62)))
    down = np.exp(-np.square((maps.y + np.float32(2.2)) / np.float32(1.7))) + 0.5 * np.exp(
        -np.square((maps.y + np.float32(4.3)) / np.float32(0.7))
    )
    light = across * down
    fan = np.arctan2(np.abs(maps.x), np.float32(0.4) - maps.y)
    near = np.exp(-np.square((np.hypot(maps.x, maps.y + np.float32(0.5)) - np.float32(1.2)) / np.float32(0.5)))
    light += 0.3 * near * np.clip(np.sin(fan * np.float32(22)), 0, 1)
    tone = panel.albedo
    pale = tone + (np.float32((0.8, 0.85, 0.9)) - tone) * np.float32(0.75)
    panel.tint(np.clip(light * np.float32(amount), 0, 0.8), pale)


def _pleats(panel: _Panel, details: Details) -> None:
    """Sharp folds that hang from the waist."""
    maps = panel.maps
    start = details.waist_seam or (1.2 if details.kind == "dress" else float("nan"))
    hang = maps.neck - np.float32(details.waistband) if details.kind == "skirt" else np.float32(start) - maps.y
    where = np.clip(hang / np.float32(0.8), 0, 1) * (1 - maps.sleeve) * panel.inside(hang)
    turn = maps.across * np.float32(1 / details.pleats)
    turn = turn - np.floor(turn)
    ramp = panel.fade(details.pleats) * details.pleat_depth
    panel.height += (np.float32(0.02 * ramp) * turn * where).astype(np.float32)
    edge = np.clip(1 - turn * np.float32(details.pleats / 0.07), 0, 1) * where
    panel.shade(edge, 1 - 0.3 * ramp)
    panel.shade((1 - turn) * where, 1 - 0.1 * ramp)


def _belt(panel: _Panel, details: Details, front: bool) -> None:
    maps = panel.maps
    if details.kind == "dress":
        at = maps.y - np.float32(details.waist_seam or 1.2)
    else:
        at = np.float32(details.waistband / 2) - maps.neck
    body = 1 - maps.sleeve
    panel.shade(panel.line(at, -0.03, details.belt + 0.06) * body, 0.7)
    strap = panel.line(at, 0.0, details.belt) * body
    panel.tint(strap, details.accent)
    panel.lift(strap, 0.015)
    panel.shade(panel.line(np.abs(at), details.belt / 2 - 0.03, 0.012) * body, 0.8)
    if front:
        wide = np.float32(details.belt * 0.62)
        ring = np.minimum(wide - np.abs(maps.x), wide * np.float32(0.95) - np.abs(at))
        metal = panel.inside(ring) * (1 - panel.inside(ring - np.float32(0.05)))
        panel.tint(metal, (0.76, 0.72, 0.62))
        panel.lift(metal, 0.01)


# ------------------------------------------------------------------------------------------------------ prints


def _lay_print(panel: _Panel, art: Print, ground: Colour) -> None:
    picture = _drawn(_legible(art, ground), panel.scale)
    tall, wide = picture.shape[:2]
    maps = panel.maps
    density = wide / (art.width * (1 + 2 * _BORDER))
    x, y = art.centre
    if abs(x) < 0.3:  # a low neckline pushes what is in the middle down
        y = min(y, _top(maps) - 0.3 - tall / density / 2 + _BORDER * art.width)
    across = (maps.x - np.float32(x)) * np.float32(density) + np.float32((wide - 1) / 2)
    down = (np.float32(y) - maps.y) * np.float32(density) + np.float32((tall - 1) / 2)
    near = (across > -1) & (across < wide) & (down > -1) & (down < tall) & (maps.sleeve < 0.5) & (maps.neck > 0)
    window = panel._window(near)
    if window is None:
        return
    ink = cv2.remap(
        picture, across[window], down[window], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    ink *= near[window][..., None]
    panel.albedo[window] *= 1 - ink[..., 3:]
    panel.albedo[window] += ink[..., :3]
    panel.height[window] += np.float32(0.002) * ink[..., 3]


def _legible(art: Print, ground: Colour) -> Print:
    """The same print with a first ink that can be seen on ``ground``."""
    light = fabrics.lightness(ground)
    if abs(fabrics.lightness(art.colours[0]) - light) >= 18:
        return art
    ink = (0.95, 0.95, 0.93) if light < 55 else (0.1, 0.1, 0.12)
    return replace(art, colours=(ink, *art.colours[1:]))


@functools.lru_cache(maxsize=8)
def _drawn(art: Print, scale: float) -> np.ndarray:
    """The print, (h, w, 4) float32, RGB times coverage and coverage, with an empty border."""
    wide = round(art.width * (_DENSITY if scale <= 80 else 2 * _DENSITY))
    rng = np.random.default_rng([art.seed, 7])
    blocks: list[np.ndarray] = []
    if art.picture:
        blocks.append(_picture(art, rng, wide))
    if art.emblem:
        blocks.append(_emblem(art, round(wide * (0.5 if art.lines else 1.0))))
    for index, text in enumerate(art.lines):
        blocks.append(_words(text, art, index, wide))
    gap = max(2, wide // 24)
    tall = sum(block.shape[0] for block in blocks) + gap * (len(blocks) + 1)
    border = round(wide * _BORDER)
    sheet = np.zeros((tall + 2 * border, wide + 2 * border, 4), np.float32)
    row = border + gap
    for block in blocks:
        left = (sheet.shape[1] - block.shape[1]) // 2
        sheet[row : row + block.shape[0], left : left + block.shape[1]] = block
        row += block.shape[0] + gap
    if art.worn > 0:
        grain = fabrics.seamless_noise(rng, (60, 60), sheet.shape[:2]) + 0.8 * fabrics.seamless_noise(
            rng, (9, 9), sheet.shape[:2]
        )
        sheet *= np.clip((grain - np.float32(np.quantile(grain, art.worn))) * 3 + 0.5, 0, 1)[..., None]
    size = [max(3, round(side / wide * art.width * scale * 1.3)) for side in sheet.shape[:2]]
    return cv2.resize(sheet, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _inked(cover: np.ndarray, colour: Colour) -> np.ndarray:
    """Coverage (h, w) in [0, 1] and a colour as (h, w, 4), premultiplied."""
    return np.concatenate([cover[..., None] * np.float32(colour), cover[..., None]], -1).astype(np.float32)


def _words(text: str, art: Print, index: int, wide: int) -> np.ndarray:
    """One line of text as wide as its place in the print asks for."""
    style = art.style if index == 0 else "solid"
    target = wide if index == 0 else round(wide * min(0.92, 0.12 + 0.055 * len(text)))
    stroke = {"solid": 3, "outline": 3, "wide": 4, "condensed": 3}.get(style, 2) if index == 0 else 1
    font = ImageFont.load_default(96)
    left, top, right, bottom = font.getbbox(text, stroke_width=stroke)
    page = Image.new("L", (right - left + 8, bottom - top + 8))
    draw = ImageDraw.Draw(page)
    draw.text((4 - left, 4 - top), text, fill=255, font=font, stroke_width=stroke)
    cover = np.asarray(page, np.float32) / 255
    if style == "outline":
        inner = cv2.erode(cover, np.ones((7, 7), np.uint8))
        cover = cover - inner * np.float32(0.999)
    elif style == "italic":
        lean = round(cover.shape[0] * 0.22)
        matrix = np.array([[1, -0.22, lean], [0, 1, 0]], np.float32)
        cover = cv2.warpAffine(cover, matrix, (cover.shape[1] + lean, cover.shape[0]))
    stretch = {"wide": 0.6, "condensed": 1.9}.get(style, 1.0)
    tall = min(round(cover.shape[0] * target / cover.shape[1] * stretch), round(wide * 0.62))
    target = min(target, round(tall / stretch * cover.shape[1] / cover.shape[0]))
    cover = cv2.resize(cover, (max(4, target), max(4, tall)), interpolation=cv2.INTER_AREA)
    if style == "arc":
        rise = round(target * 0.16)
        rows, columns = np.mgrid[0 : tall + rise, 0:target].astype(np.float32)
        bend = rise * np.square((columns - target / 2) / np.float32(target / 2))
        cover = cv2.remap(cover, columns, rows - bend, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return _inked(
        np.clip(cover, 0, 1),
        art.colours[index % len(art.colours)] if len(art.lines) > 1 and art.seed % 3 == 0 else art.colours[0],
    )


def _ngon(count: int, inner: float = 1.0, radius: float = 1.0, turn: float = -math.pi / 2) -> np.ndarray:
    """A regular polygon or, with ``inner`` below 1, a star."""
    total = count * (2 if inner < 1 else 1)
    angle = turn + np.arange(total) * 2 * math.pi / total
    reach = radius * np.where(np.arange(total) % 2, inner, 1.0) if inner < 1 else np.full(total, radius)
    return np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1)


def _emblem_shapes(name: str) -> list[tuple[np.ndarray, int]]:
    """Outlines in [-1, 1], y down, and the ink of each; -1 is bare cloth."""
    t = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    circle = np.stack([np.cos(t), np.sin(t)], 1)
    strip = np.linspace(-1, 1, 40)
    if name == "disc":
        return [(circle, 0), (circle * 0.45 + (0.2, -0.15), 1)]
    if name == "ring":
        return [(circle, 0), (circle * 0.72, -1), (_ngon(5, 0.42, 0.6), 1)]
    if name == "star":
        return [(_ngon(5, 0.42), 0)]
    if name == "mountains":
        return [
            (circle * 0.36 + (0.35, -0.4), 1),
            (np.array([(-1, 0.7), (-0.35, -0.5), (0.3, 0.7)]), 0),
            (np.array([(-0.2, 0.7), (0.4, -0.15), (1, 0.7)]), 2),
            (np.array([(-0.5, -0.22), (-0.35, -0.5), (-0.2, -0.22), (-0.35, -0.12)]), -1),
        ]
    if name == "waves":
        shapes = []
        for index, y in enumerate((-0.5, 0.0, 0.5)):
            wave = y + 0.12 * np.sin(strip * 7)
            shapes.append(
                (np.concatenate([np.stack([strip, wave], 1), np.stack([strip, wave + 0.2], 1)[::-1]]), index % 2)
            )
        return shapes
    if name == "shield":
        outline = np.array([(-0.8, -0.9), (0.8, -0.9), (0.8, 0.1), (0.5, 0.6), (0, 1), (-0.5, 0.6), (-0.8, 0.1)])
        return [
            (outline, 0),
            (outline * 0.82, 1),
            (np.array([(-0.66, -0.3), (0.66, -0.3), (0.66, 0.0), (-0.66, 0.0)]), 0),
        ]
    if name == "diamond":
        return [(_ngon(4), 0), (_ngon(4, radius=0.7), -1), (_ngon(4, radius=0.45), 1)]
    if name == "heart":
        return [
            (
                np.stack(
                    [np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16], 1
                ),
                0,
            )
        ]
    if name == "leaf":
        side = 0.5 * np.sin(np.linspace(0, math.pi, 30)) ** 0.9
        y = np.linspace(-1, 1, 30)
        return [
            (np.concatenate([np.stack([side, y], 1), np.stack([-side, y], 1)[::-1]]), 0),
            (np.array([(-0.02, -0.7), (0.02, -0.7), (0.03, 1), (-0.03, 1)]), -1),
        ]
    if name == "bolt":
        return [(np.array([(0.2, -1), (-0.55, 0.15), (-0.05, 0.15), (-0.25, 1), (0.55, -0.25), (0.05, -0.25)]), 0)]
    if name == "sunrise":
        shapes = [(circle[36:] * 0.98 + (0, 0.3), 1)]
        return shapes + [
            (np.array([(-1, y), (1, y), (1, y + 0.09), (-1, y + 0.09)]), -1 if y < 0.3 else 0)
            for y in (-0.05, 0.12, 0.38, 0.56)
        ]
    if name == "moon":
        return [(circle, 0), (circle * 0.85 + (0.4, -0.15), -1), (_ngon(5, 0.42, 0.25) + (0.45, -0.25), 1)]
    if name == "flower":
        reach = 0.6 + 0.4 * np.abs(np.cos(t * 3))
        return [(circle * reach[:, None], 0), (circle * 0.3, 1)]
    if name == "arrow":
        return [(np.array([(-1, -0.14), (0.3, -0.14), (0.3, -0.5), (1, 0), (0.3, 0.5), (0.3, 0.14), (-1, 0.14)]), 0)]
    if name == "bars":
        return [
            (np.array([(-1, y), (1, y), (1, y + 0.34), (-1, y + 0.34)]), index)
            for index, y in enumerate((-0.8, -0.35, 0.1, 0.55))
        ]
    return [
        (np.array([(-0.1, 0.5), (0.1, 0.5), (0.1, 1), (-0.1, 1)]), 1),
        (np.array([(0, -1), (0.45, -0.3), (-0.45, -0.3)]), 0),
        (np.array([(0, -0.6), (0.6, 0.15), (-0.6, 0.15)]), 0),
        (np.array([(0, -0.15), (0.75, 0.6), (-0.75, 0.6)]), 0),
    ]


def _emblem(art: Print, wide: int) -> np.ndarray:
    sheet = np.zeros((wide, wide, 4), np.float32)
    for outline, ink in _emblem_shapes(art.emblem):
        mask = np.zeros((wide, wide), np.uint8)
        corners = np.round((outline * 0.49 + 0.5) * wide * 16 - 8).astype(np.int32)
        cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
        cover = mask.astype(np.float32)[..., None] / 255
        layer = np.float32((0, 0, 0, 0) if ink < 0 else (*art.colours[ink % len(art.colours)], 1))
        sheet += (layer - sheet) * cover
    rows = np.flatnonzero(sheet[..., 3].any(1))
    return sheet[rows[0] : rows[-1] + 1]


def _picture(art: Print, rng: np.random.Generator, wide: int) -> np.ndarray:
    """A printed picture: hills under a sun, overlapping shapes, or a grainy duotone."""
    tall = round(wide * rng.uniform(0.75, 1.25))
    colours = np.array([*art.colours, *art.colours], np.float32)
    rows = np.linspace(0, 1, tall, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, wide, dtype=np.float32)[None]
    image = np.empty((tall, wide, 3), np.float32)
    if art.picture == "landscape":
        image[:] = colours[1] + (colours[2] - colours[1]) * rows[..., None]
        centre = rng.uniform((0.25, 0.2), (0.75, 0.45))
        sun = np.clip((0.13 - np.hypot(columns - centre[0], (rows - centre[1]) * tall / wide)) * wide + 0.5, 0, 1)
        image += (colours[3] - image) * sun[..., None]
        for index in range(4):
            ridge = 0.45 + 0.13 * index + 0.07 * fabrics.seamless_noise(rng, (4, 5 + 3 * index), (1, wide))
            hill = np.clip((rows - ridge) * tall + 0.5, 0, 1)
            image += (colours[0] * (0.55 + 0.15 * index) + colours[2] * (0.3 - 0.1 * index) - image) * hill[..., None]
    elif art.picture == "shapes":
        image[:] = colours[1]
        for index in range(7):
            mask = np.zeros((tall, wide), np.uint8)
            blob = _ngon(int(rng.choice((3, 4, 40))), 1.0, rng.uniform(0.12, 0.35), rng.uniform(0, 6)) + rng.uniform(
                0.1, 0.9, 2
            )
            cv2.fillPoly(mask, [np.round(blob * (wide, tall) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            image += (colours[index % len(colours)] - image) * (mask.astype(np.float32)[..., None] / 255 * 0.9)
    else:
        field = fabrics.seamless_noise(rng, (5, 5), (tall, wide)) + 0.6 * fabrics.seamless_noise(
            rng, (13, 13), (tall, wide)
        )
        field = np.clip(0.5 + 0.35 * field + 0.12 * fabrics.seamless_noise(rng, (90, 90), (tall, wide)), 0, 1)
        image[:] = colours[0] + (colours[1] - colours[0]) * field[..., None]
    cover = np.ones((tall, wide), np.float32)
    if rng.random() < 0.25:
        cover = np.clip((0.5 - np.hypot(columns - 0.5, rows - 0.5)) * wide + 0.5, 0, 1).astype(np.float32)
    return np.concatenate([np.clip(image, 0, 1) * cover[..., None], cover[..., None]], -1)
