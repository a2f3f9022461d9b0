"""Coarse class chances brought to a photo's size along the photo's own edges."""

from __future__ import annotations

import cv2
import numpy as np

from ..filters import GuidedFilter


class GuidedEnlargement(GuidedFilter):
    """The fast guided filter (He and Sun, arXiv:1505.00996): fitted on a small guide, applied to the large one.

    Args:
        guide: (H, W, 3) uint8 photo.
        shrink: the fit is made at ``1 / shrink`` of its size.
        radius: of the window in pixels of the small guide.
        epsilon: how much contrast counts as an edge (variance, in squared guide units, [0, 1]).
    """

    def __init__(self, guide: np.ndarray, shrink: float, radius: int, epsilon: float) -> None:
        height, width = guide.shape[:2]
        self.size = max(1, round(height / shrink)), max(1, round(width / shrink))  # (height, width) of the fit
        small = cv2.resize(guide, self.size[::-1], interpolation=cv2.INTER_AREA)
        super().__init__(small.astype(np.float32) / 255, radius, epsilon)
        self.planes = [np.multiply(plane, np.float32(1 / 255), dtype=np.float32) for plane in cv2.split(guide)]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Enlarge one (h, w) float32 map of the fit's size to the guide's."""
        radius = self.radius
        box = (2 * radius + 1, 2 * radius + 1)

        def blur(x: np.ndarray) -> np.ndarray:
            return cv2.blur(x, box, borderType=cv2.BORDER_REFLECT)

        values = np.ascontiguousarray(values, np.float32)
        average = blur(values)
        covariance = [blur(self.guide[..., i] * values) - self.mean[..., i] * average for i in range(3)]
        slopes = [sum(self._inverse[i][j] * covariance[j] for j in range(3)) for i in range(3)]
        offset = average - sum(slope * self.mean[..., i] for i, slope in enumerate(slopes))
        large = self.planes[0].shape[::-1]
        result = cv2.resize(blur(offset), large, interpolation=cv2.INTER_LINEAR)
        for slope, plane in zip(slopes, self.planes, strict=True):
            cv2.accumulateProduct(cv2.resize(blur(slope), large, interpolation=cv2.INTER_LINEAR), plane, result)
        return result
