"""Label maps at another size."""

from __future__ import annotations

import cv2
import numpy as np


def enlarge_labels(parsing: np.ndarray, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Bring a small label map to the photo's size: each label's mask is enlarged smoothly, the largest wins.

    Args:
        parsing: uint8 (h, w) ids.
        image: uint8 HWC RGB photo.
        mask: uint8 HW person mask at the photo's size; below 128 everything is background.
    """
    height, width = mask.shape
    best = np.full((height, width), 0.0, np.float32)
    result = np.zeros((height, width), np.uint8)
    for number in np.unique(parsing):
        layer = cv2.GaussianBlur((parsing == number).astype(np.float32), (0, 0), 0.8)
        layer = cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)
        if number == 0:
            layer = layer * 0.5  # the person mask, not the small map, says where the person ends
        better = layer > best
        best[better], result[better] = layer[better], number
    result[mask < 128] = 0
    return result
