"""Human-parsing labels: the CIHP-20 ids that VITON-HD's files use, and pictures of them."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: Names by id (left and right are the person's own). As in VITON-HD, 10 is the skin of the torso and neck.
NAMES = (
    "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
    "torso-skin", "scarf", "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe",
    "right-shoe",
)  # fmt: skip
ID = {name: number for number, name in enumerate(NAMES)}

#: Ids that make up a garment category (DressCode's words).
CATEGORIES = {
    "upper_body": (ID["upper-clothes"], ID["coat"]),
    "lower_body": (ID["pants"], ID["skirt"]),
    "dresses": (ID["dress"], ID["upper-clothes"], ID["coat"], ID["pants"], ID["skirt"]),
}
SKIN = tuple(ID[n] for n in ("torso-skin", "face", "left-arm", "right-arm", "left-leg", "right-leg"))
ARMS = (ID["left-arm"], ID["right-arm"])
LEGS = (ID["left-leg"], ID["right-leg"])
SHOES = (ID["left-shoe"], ID["right-shoe"])


def palette() -> np.ndarray:
    """(256, 3) uint8 RGB colours: the bit-interleaved table of PASCAL VOC, which parsing files use."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def to_palette_image(parsing: np.ndarray) -> Image.Image:
    """Palette picture (mode P) whose pixel values are the ids, as VITON-HD stores it."""
    image = Image.fromarray(parsing.astype(np.uint8)).copy()
    image.putpalette(palette().reshape(-1).tolist())
    return image


def fit(parsing: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit a label map into (height, width) as :func:`vto_utils.images.fit` fits its photo; background beside it.

    Args:
        parsing: (H, W) uint8 ids.
        size: (height, width) in pixels.

    Returns:
        ``size`` uint8; no id appears that was not there.
    """
    height, width = size
    factor = min(width / parsing.shape[1], height / parsing.shape[0])
    inner = (max(1, round(parsing.shape[0] * factor)), max(1, round(parsing.shape[1] * factor)))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    resized = Image.fromarray(parsing).resize(inner[::-1], Image.Resampling.NEAREST)
    canvas = np.zeros(size, np.uint8)
    canvas[top : top + inner[0], left : left + inner[1]] = np.asarray(resized)
    return canvas


def select(parsing: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Boolean mask of the pixels whose label is one of ``ids``."""
    return np.isin(parsing, ids)
