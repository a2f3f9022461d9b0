"""A photo with its labels, and the changes of frame that keep both together.

Labels are uint8 CIHP-20 ids with two more: :data:`BAG` and :data:`UNKNOWN`, which is neither learned nor measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..labels import ID
from ..parsing.framing import warp_photo, warp_points
from ..pose import KEYPOINT_NAMES

BAG, UNKNOWN = 20, 255


@dataclass(frozen=True)
class Example:
    """A photo with what is known of it, all of one size (H, W)."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    labels: np.ndarray  # (H, W) uint8 CIHP-20 ids, BAG, UNKNOWN
    alpha: np.ndarray  # (H, W) uint8 person mask, 0..255
    keypoints: np.ndarray  # (18, 3) float32 x, y in pixels, confidence; confidence 0 = not known


def warp_example(example: Example, matrix: np.ndarray, size: tuple[int, int]) -> Example:
    """Bring an example into another frame. Outside the photo: grey, UNKNOWN, nobody."""
    target = size[::-1]
    image = warp_photo(example.image, matrix, size)
    labels = cv2.warpAffine(example.labels, matrix, target, flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    alpha = cv2.warpAffine(example.alpha, matrix, target, flags=cv2.INTER_LINEAR)
    return Example(image, labels, alpha, warp_points(example.keypoints, matrix))


_SWAPPED = np.arange(256, dtype=np.uint8)
for _left, _right in (("left-arm", "right-arm"), ("left-leg", "right-leg"), ("left-shoe", "right-shoe")):
    _SWAPPED[[ID[_left], ID[_right]]] = ID[_right], ID[_left]
_MIRRORED_POINTS = [
    KEYPOINT_NAMES.index(
        name.replace("left", "?").replace("right", "left").replace("?", "right")  # the other side's name
    )
    for name in KEYPOINT_NAMES
]


def flip_example(example: Example) -> Example:
    """Mirror left and right; the person's left arm becomes the right one."""
    points = example.keypoints[_MIRRORED_POINTS].copy()
    points[:, 0] = np.where(points[:, 2] > 0, example.labels.shape[1] - 1 - points[:, 0], points[:, 0])
    image, labels, alpha = (np.ascontiguousarray(x[:, ::-1]) for x in (example.image, example.labels, example.alpha))
    return Example(image, _SWAPPED[labels], alpha, points)
