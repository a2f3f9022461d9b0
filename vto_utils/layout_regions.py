"""What becomes of every place of the photo, read from the target layout that the networks found.

The counterpart of :func:`vto_utils.regions.decide`, which goes by proportions of the body.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from . import filters, labels
from .body import Body
from .fitting import Placement
from .regions import LOWER, Regions, old_garment

_OTHER, _GARMENT, _LEFT_ARM, _RIGHT_ARM, _TORSO, _LEGS, _LOWER = range(7)  # networks.LAYOUT
_SPECK, _PINHOLE = 0.03, 0.005  # shares of the garment: the smallest sleeve's end beyond an arm, a fingertip on it
_DOUBT = 0.12  # breadths by which the layout may be wrong about where a garment ends
_CREASE = 0.012  # breadths; narrower strips in front of the garment are doubt about its edge


def read(placement: Placement, parsing: np.ndarray, body: Body, category: str) -> Regions:
    """Decide what is under and over the new garment.

    Args:
        placement: from :meth:`vto_utils.fitting.Fitter.fit`.
        parsing: uint8 HW CIHP-20 ids of the photo, small.
        body: measured in pixels of ``parsing``.
        category: of the garment.
    """
    size, unit = parsing.shape, body.frame.breadth
    chances = placement.at(placement.layout, size)
    classes = chances.argmax(2)
    under = np.where(np.arange(chances.shape[2]) == _GARMENT, -1, chances).argmax(2)
    along, _ = body.frame.coordinates(size)
    old = old_garment(parsing, along, category)
    old = filters.grow(old, max(1.0, 0.012 * unit + 1))
    limbs = (_LEFT_ARM, _RIGHT_ARM, _LEGS)
    bare = np.isin(under, (*limbs, _TORSO))
    lower = (under == _LOWER) & old if labels.select(parsing, LOWER).any() else np.zeros(size, bool)
    head = labels.select(parsing, (labels.ID["hair"], labels.ID["face"]))
    background = old & (under == _OTHER) & ~filters.grow(head, 2)
    # Bare limbs that the new garment hides, and does not happen to cover to the last pixel.
    arms = labels.select(parsing, labels.ARMS)
    front = arms & np.isin(classes, (_LEFT_ARM, _RIGHT_ARM))
    nowhere = np.zeros(size, bool)
    return Regions(
        old=old,
        skin=bare & old,
        background=background,
        lower=lower,
        snug=old & (classes == _GARMENT),
        beyond=nowhere,
        limb=nowhere,
        front=front,
        slit=0.03,
        shade=_rounding(np.isin(under, limbs)),
    )


def settle(layout: np.ndarray) -> np.ndarray:
    """A layout without specks: stray pieces of garment go, pinholes in it close.

    Args:
        layout: (h, w, 7) chances.

    Returns:
        The same with other chances there, which add up to 1 as well.
    """
    result = layout.copy()
    worn = layout.argmax(2) == _GARMENT
    area = int(worn.sum())
    for here in _small_pieces(worn, _SPECK * area):
        result[here, _GARMENT] = 0
        result[here] /= np.maximum(result[here].sum(-1, keepdims=True), 1e-6)
    for here in _small_pieces(~worn, _PINHOLE * area):
        result[here] = np.eye(layout.shape[2], dtype=layout.dtype)[_GARMENT]
    return result


def extend(
    layout: np.ndarray, covered: np.ndarray, sleeves: np.ndarray, empty: np.ndarray, breadth: float
) -> np.ndarray:
    """A layout in which the garment reaches as far as its own photo says.

    Where a garment ends, at the neck, below its sleeves, beside the body, its outline in the photo is sharper than
    the layout, which only foretells it; a trim there would be lost. What lies in front of the garment
    is for the layout to say: hair, arms before the chest, what a top is tucked into.

    Args:
        layout: (h, w, 7) chances.
        covered: (h, w) bool, what the warped garment reaches.
        sleeves: (h, w) bool, the part of it that its sleeves reach.
        empty: (h, w) bool, where the photo shows background.
        breadth: of the person, in pixels.

    Returns:
        The same with other chances there, which add up to 1 as well.
    """
    worn = layout.argmax(2) == _GARMENT
    bare = np.isin(layout.argmax(2), (_TORSO, _LEGS)) | empty
    bare |= np.isin(layout.argmax(2), (_LEFT_ARM, _RIGHT_ARM)) & sleeves
    here = ~worn & bare & filters.grow(covered, 1) & filters.grow(worn, _DOUBT * breadth)
    result = layout.copy()
    result[here, _GARMENT] = result[here].max(-1) * 1.5 + 0.1
    result[here] /= result[here].sum(-1, keepdims=True)
    return result


def hang(layout: np.ndarray, covered: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A layout in which a top hangs over what is worn below it, or does not: not here and there.

    Whether a hem is tucked in is one question with one answer; asked pixel by pixel, a doubtful one frays.

    Args:
        layout: (h, w, 7) chances.
        covered: (h, w) bool, what the warped garment reaches.
        below: (h, w) bool, trousers, skirt and legs as the photo shows them.

    Returns:
        The same with other chances in ``below``, which add up to 1 as well. Arms in front stay there.
    """
    asked = covered & below & ~np.isin(layout.argmax(2), (_LEFT_ARM, _RIGHT_ARM))
    if not asked.any():
        return layout
    result = layout.copy()
    if layout[asked, _GARMENT].mean() > 0.5:
        result[asked] = np.eye(layout.shape[2], dtype=layout.dtype)[_GARMENT]
    else:
        result[below, _GARMENT] = 0
        left = result[below].sum(-1, keepdims=True)
        result[below] = np.where(left > 1e-6, result[below] / np.maximum(left, 1e-6), 1 / layout.shape[2])
    return result


def _small_pieces(mask: np.ndarray, area: float) -> Iterator[np.ndarray]:
    """Pieces of a mask of at most so many pixels, one at a time, bool."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] <= area:
            yield pieces == piece


def in_front(placement: Placement, size: tuple[int, int], unit: float) -> np.ndarray:
    """Float32 HW in [0, 1]: where the garment is not seen: arms, skin or what is worn below are, or it ends.

    Args:
        size: (height, width).
        unit: the person's breadth in pixels at that size.
    """
    scale = min(1.0, 512 / max(size))
    small = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    chances = placement.at(placement.layout, small)
    others = chances[..., [_OTHER, _LEFT_ARM, _RIGHT_ARM, _TORSO, _LEGS, _LOWER]].max(2)
    lead = others - chances[..., _GARMENT]
    # Beside the garment's own edge its photo knows better where it ends than the layout does.
    core = filters.grow(lead > 0, -max(1.0, _CREASE * unit * scale))
    kept = filters.grow(core, max(1.0, _CREASE * unit * scale) + 1)
    lead = np.where(kept, lead, np.minimum(lead, -0.2))
    large = cv2.resize(lead.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    steep = 3 / scale
    return np.clip(0.5 + steep * large, 0, 1)


def _rounding(limbs: np.ndarray) -> np.ndarray:
    """Float32 HW in [0, 1]: how far towards the edge of a limb each place lies."""
    depth = cv2.distanceTransform(limbs.astype(np.uint8), cv2.DIST_L2, 3)
    if not limbs.any():
        return depth
    radius = max(1.0, float(np.percentile(depth[limbs], 95)))
    return np.where(limbs, np.clip(1 - depth / radius, 0, 1) ** 2, 0).astype(np.float32)
