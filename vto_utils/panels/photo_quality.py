"""Whether a photo is bright and sharp enough, and the limits of everything that is measured on photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from .findings import Finding


@dataclass(frozen=True)
class Limits:
    """Where a measure begins to look wrong."""

    torso: float = 90.0  # pixels from shoulders to hips: 260 and more in good ones, 71 in one 160 pixels high
    garment: float = 260.0  # pixels of the garment's longer side: 600 and more; 111 in one 120 pixels high
    share: float = 0.2  # torso as a share of the photo's height: 0.25 and more; 0.15 from afar
    white: float = 140.0  # 99th percentile of the lightness, 0..255: 232 and more; 49 at a fifth of the light
    sharp: float = 0.5  # strongest edges against the next coarser octave's: 0.64 and more; 0.35 and less when blurred
    narrow: float = 0.42  # distance of the shoulders in torso lengths: 0.62 and more; 0.37 and less squeezed
    edge: float = 0.03  # share of the trunk's height along which the mask lies on the photo's edge: 0; 1 cut in half
    arms: float = 0.33  # share of chest and belly labelled as arm: 0.23 with a hand before them
    folded: float = 0.15  # the same where both wrists are before them
    odd: float = 0.15  # share of the chest labelled as trousers, skirt or leg
    head: float = 0.02  # area of face, hair and hat in squared torso lengths: 0.13 and more; 0 without a head
    bare: float = 0.12  # share of the chest without a label: 0
    garment_edge: float = 0.06  # share of an edge of the photo that the garment covers: 0
    ground: float = 12.0  # lightness steps of a garment's background, 0..255: below 1; 21 on a checked cloth
    holes: float = 0.03  # share of the garment's area
    sure: float = 0.45  # chance of the garment's category: 0.54 and more
    is_garment: float = 0.5  # chance of the photo showing one garment: 0.91 and more


LIMITS = Limits()


def sharpness(grey: np.ndarray, inside: np.ndarray, scale: float) -> float:
    """How fine the detail in a part of a picture is: its strongest edges against those of the next coarser octave.

    Args:
        grey: float32 HW.
        inside: bool HW; its box is looked at, with the outline in it.
        scale: the picture is first reduced by this factor, if below 1, so that a large photo may be a little soft.

    Returns:
        About 1 for a sharp photo, towards a quarter for a blurred one; 1 where there is nothing to see.
    """
    ys, xs = np.nonzero(inside)
    if not len(xs):
        return 1.0
    rim = 4 + round(0.02 * max(np.ptp(ys), np.ptp(xs)))  # the outline is often the strongest edge there is
    part = grey[max(ys.min() - rim, 0) : ys.max() + rim + 1, max(xs.min() - rim, 0) : xs.max() + rim + 1]
    if scale < 1:
        size = max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    # Starting one pixel above the finest octave, where noise and the steps of 8 bits would pass for detail.
    levels = [cv2.GaussianBlur(part, (0, 0), sigma) for sigma in (1.0, 2.0, 4.0)]
    fine, coarse = (float(np.percentile(np.abs(a - b), 99.5)) for a, b in zip(levels, levels[1:], strict=False))
    return fine / coarse if coarse > 1 else 1.0


def check_picture(facts: Mapping[str, float], limits: Limits = LIMITS) -> list[Finding]:
    """Look for trouble that has nothing to do with what a photo shows.

    Args:
        facts: ``white`` (99th percentile of the lightness, 0..255) and ``sharp`` (:func:`sharpness`).
        limits: where a measure begins to look wrong.
    """
    found = []
    if facts["white"] < limits.white:
        found.append(Finding(
            "dark", "warning", "The photo is dark.", "There was too little light.",
            "Use more light from the front, or brighten the photo.",
        ))  # fmt: skip
    if facts["sharp"] < limits.sharp:
        found.append(Finding(
            "blurred", "warning", "The photo is blurred.",
            "It is out of focus, shaken, or was scaled up from a small one.",
            "Use a sharper photo; what is blurred here is blurred in the result.",
        ))  # fmt: skip
    return found


def lightness(image: Image.Image) -> np.ndarray:
    """Float32 HW in [0, 255] of a PIL image."""
    return np.asarray(image.convert("L"), np.float32)
