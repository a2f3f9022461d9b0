"""What describes a cloth, and the panel that it is laid on.

Lengths are in decimetres (dm), colours sRGB-encoded RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .colours import Colour

KINDS = ("top", "trousers", "skirt", "dress")


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


WOVEN = frozenset({"stripe", "breton", "vertical stripe", "pinstripe", "check", "gingham", "tartan"})
