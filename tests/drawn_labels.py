"""A label map made of rectangles, for tests of what reads and converts label maps."""

from __future__ import annotations

import numpy as np

from vto_utils.labels import ID


def body(lower: str = "pants", upper: str = "upper-clothes", neck: str = "torso-skin") -> np.ndarray:
    """(128, 96) CIHP-20 ids of an upright person seen from the front, made of rectangles."""
    ids = np.zeros((128, 96), np.uint8)
    for name, top, bottom, left, right in (
        ("hair", 4, 12, 38, 58), ("face", 10, 24, 40, 56), (neck, 24, 29, 44, 52), (upper, 29, 66, 34, 62),
        ("right-arm", 32, 70, 26, 34), ("left-arm", 32, 70, 62, 70), (lower, 66, 98, 34, 62),
        ("right-leg", 98, 114, 35, 46), ("left-leg", 98, 114, 50, 61), ("right-shoe", 114, 121, 33, 46),
        ("left-shoe", 114, 121, 50, 63),
    ):  # fmt: skip
        ids[top:bottom, left:right] = ID[name]
    return ids
