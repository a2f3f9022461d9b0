"""What a tailor adds to the cloth: ribs, seams, plackets, pockets, prints, waistbands.

Lengths in dm, colours sRGB-encoded in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .cloth import KINDS, FabricSpec
from .colours import Colour, companions, lightness
from .fabrics import FAMILIES
from .prints import Print, sample_print, weighted


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


_BUSY = frozenset(FAMILIES) - {"plain", "heather", "colour block", "gradient", "tie dye", "linen", "denim"}


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
    accents = companions(rng, ground, 2, 22)
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
        fields["trim_at"] = weighted(rng, (("neck",), ("neck", "cuff"), ("neck", "cuff", "hem")), (30, 50, 20))
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
        placket = weighted(rng, ("polo", "half zip", "zip"), (82, 9, 9))
        fields.update(placket=placket, buttons=int(rng.integers(2, 4)))
    elif kind == "top" and draw[4] < 0.14:
        placket = weighted(rng, ("henley", "zip", "half zip", "shirt"), (40, 22, 18, 20))
        count = {"henley": int(rng.integers(2, 5)), "shirt": int(rng.integers(5, 8))}.get(placket, 0)
        fields.update(placket=placket, buttons=count)
    elif kind == "dress" and draw[4] < 0.14:
        fields.update(placket="shirt", buttons=int(rng.integers(7, 12)))
    fields["button_colour"] = weighted(
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
        fields.update(pocket="kangaroo", drawstring=weighted(rng, (ground, (0.93, 0.93, 0.92), accent), (50, 35, 15)))
    elif kind == "top" and draw[7] < (0.4 if shirt else 0.1):
        fields["pocket"] = weighted(rng, ("chest", "flap", "two"), (70, 15, 20 * shirt))
        fields["pocket_colour"] = accent if plain and draw[8] < 0.15 else None
    if kind == "dress":
        if draw[9] < 0.45:
            fields["waist_seam"] = float(rng.uniform(1.0, 1.7))
            fields["belt"] = float(rng.uniform(0.2, 0.45)) if draw[9] < 0.13 else 0.0
        if draw[10] < 0.12:
            fields.update(pleats=float(rng.uniform(0.35, 0.9)), pleat_depth=float(rng.uniform(0.3, 1)))
    free = fields.get("placket", "none") == "none" and fields.get("pocket", "none") in ("none", "kangaroo")
    chance = (0.42 if plain else 0.03 if fabric.family in ("stripe", "breton", "camouflage") else 0.0) * (kind == "top")
    logo = sample_print(rng, ground, small=bool(draw[8] > 0.84 or not free or not plain))
    if draw[11] < chance + 0.03 * (kind == "dress" and plain) and "chest_band" not in fields and not shirt:
        fields["print"] = logo
    return Details(**fields)


def _label(rng: np.random.Generator, ground: Colour) -> Colour | None:
    return weighted(rng, ((0.9, 0.9, 0.88), (0.1, 0.1, 0.11), ground), (50, 30, 20)) if rng.random() < 0.75 else None


def _sample_trousers(rng: np.random.Generator, fabric: FabricSpec) -> Details:
    accents = companions(rng, fabric.colours[0], 1, 22)
    fields: dict = {"kind": "trousers", "accent": accents[0], "label": _label(rng, fabric.colours[0])}
    denim = fabric.finish == "denim"
    if denim:
        style = "jeans"
    elif fabric.finish in ("jersey", "fleece", "rib", "knit"):
        style = weighted(rng, ("jogger", "leggings", "chino"), (50, 25, 25))
    else:
        style = weighted(rng, ("chino", "suit", "jogger", "cargo", "jeans"), (46, 20, 14, 8, 12))
    belt = float(rng.uniform(0.28, 0.4)) if rng.random() < 0.08 else 0.0
    if style in ("jeans", "chino", "cargo"):
        fields.update(
            waistband=float(rng.uniform(0.34, 0.46)), fly=True, loops=True, buttons=1, belt=belt,
            pockets={"jeans": "jeans", "cargo": "cargo"}.get(style, "slant"),
            button_colour=weighted(rng, ((0.62, 0.5, 0.33), (0.6, 0.6, 0.6), (0.35, 0.3, 0.26)), (50, 30, 20)),
        )  # fmt: skip
        if style == "jeans":
            light = lightness(fabric.colours[0])
            gold = ((0.72, 0.53, 0.28), (0.78, 0.62, 0.4), (0.85, 0.82, 0.74))
            worn = denim and 12 < light < 88 and rng.random() < 0.85
            fields["stitching"] = weighted(rng, gold, (50, 35, 15)) if worn else None
        elif style == "chino":
            fields["crease"] = float(rng.uniform(0.3, 1)) * (rng.random() < 0.3)
    elif style == "suit":
        fields.update(
            waistband=float(rng.uniform(0.35, 0.45)), fly=True, loops=bool(rng.random() < 0.8), belt=belt, buttons=1,
            pockets="slant", crease=float(rng.uniform(0.6, 1)), button_colour=(0.2, 0.2, 0.21),
        )  # fmt: skip
    else:
        cord = weighted(rng, (fabric.colours[0], (0.93, 0.93, 0.92), accents[0]), (45, 40, 15))
        fields.update(waistband=float(rng.uniform(0.35, 0.6)), elastic=True)
        if style == "jogger":
            fields.update(
                pockets="slant" if rng.random() < 0.8 else "none", drawstring=cord if rng.random() < 0.7 else None,
                hem_rib=float(rng.uniform(0.4, 0.7)) if rng.random() < 0.5 else 0.0,
            )  # fmt: skip
    return Details(**fields)


def _sample_skirt(rng: np.random.Generator, fabric: FabricSpec) -> Details:
    accents = companions(rng, fabric.colours[0], 1, 22)
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
            button_colour=weighted(rng, ((0.36, 0.24, 0.16), (0.92, 0.9, 0.86)), (1, 1)),
        )
    elif draw[3] < 0.24:
        fields["belt"] = float(rng.uniform(0.2, 0.4))
    return Details(**fields)
