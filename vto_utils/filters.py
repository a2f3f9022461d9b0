"""Picture filters the pipeline shares: edge-aware smoothing, hole filling, soft masks.

All of them take and give float32 HW or HWC arrays; masks are in [0, 1], 1 = inside.
"""

from __future__ import annotations

import cv2
import numpy as np


def _box(values: np.ndarray, radius: int) -> np.ndarray:
    return cv2.blur(values, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)


class GuidedFilter:
    """Smoothing that follows the edges of a guide picture (He, Sun and Tang, ECCV 2010).

    Built once per guide and used on many inputs, as cost-volume filtering needs it.

    Args:
        guide: (H, W, 3) float32 colour picture in [0, 1].
        radius: of the box window, in pixels.
        epsilon: how much contrast counts as an edge (variance, in squared guide units).
    """

    def __init__(self, guide: np.ndarray, radius: int, epsilon: float = 1e-4) -> None:
        self.guide = np.ascontiguousarray(guide, np.float32)
        self.radius = radius
        self.mean = _box(self.guide, radius)
        # The six different entries of the 3x3 covariance of colour in every window.
        g, m = self.guide, self.mean
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        rr, rg, rb, gg, gb, bb = (_box(g[..., i] * g[..., j], radius) - m[..., i] * m[..., j] for i, j in pairs)
        rr, gg, bb = rr + epsilon, gg + epsilon, bb + epsilon
        inverse = (
            gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb,
            rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg,
        )  # fmt: skip
        determinant = rr * inverse[0] + rg * inverse[1] + rb * inverse[2]
        irr, irg, irb, igg, igb, ibb = (entry / determinant for entry in inverse)
        self._inverse = ((irr, irg, irb), (irg, igg, igb), (irb, igb, ibb))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Filter one (H, W) float32 map."""
        values = np.ascontiguousarray(values, np.float32)
        average = _box(values, self.radius)
        covariance = [_box(self.guide[..., i] * values, self.radius) - self.mean[..., i] * average for i in range(3)]
        result = average.copy()
        smooth = np.zeros_like(values)
        for i in range(3):
            slope = sum(self._inverse[i][j] * covariance[j] for j in range(3))
            result -= slope * self.mean[..., i]
            smooth += _box(slope, self.radius) * self.guide[..., i]
        return _box(result, self.radius) + smooth


def fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Continue ``values`` smoothly from where they are known to everywhere (pull-push, Gortler et al. 1996).

    Args:
        values: (H, W, C) float32.
        known: (H, W) float32 weight in [0, 1]; 0 = to be filled.

    Returns:
        (H, W, C) float32; where ``known`` is 1 the values are unchanged. All zeros when nothing is known.
    """
    height, width = known.shape
    if known.min() >= 1 or max(height, width) <= 1:
        return values.astype(np.float32, copy=True)
    weight = known[..., None].astype(np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    small_weight = cv2.resize(weight, half, interpolation=cv2.INTER_AREA).reshape(half[1], half[0], 1)
    small = cv2.resize(values * weight, half, interpolation=cv2.INTER_AREA).reshape(half[1], half[0], -1)
    small = small / np.maximum(small_weight, 1e-6)
    coarse = fill(small, np.minimum(small_weight[..., 0] * 4, 1))
    coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    return values * weight + coarse * (1 - weight)


def feather(mask: np.ndarray, radius: float) -> np.ndarray:
    """Soften a mask's edge over about ``radius`` pixels, keeping the 0.5 contour where it was."""
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(radius, 0.3) / 2)


def disc(radius: float) -> np.ndarray:
    """Round structuring element for morphology, at least one pixel across."""
    size = max(1, 2 * round(radius) + 1)
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def grow(mask: np.ndarray, radius: float) -> np.ndarray:
    """Dilate a boolean mask by a disc of ``radius`` pixels (erode where it is negative)."""
    operation = cv2.dilate if radius >= 0 else cv2.erode
    return operation(mask.astype(np.uint8), disc(abs(radius))) > 0


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest 8-connected piece of a boolean mask (all False when there is none)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return np.zeros_like(mask, bool)
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Close every hole of a boolean mask that does not touch the border of the picture."""
    padded = np.pad(mask, 1).astype(np.uint8)
    outside = np.zeros((padded.shape[0] + 2, padded.shape[1] + 2), np.uint8)
    cv2.floodFill(padded, outside, (0, 0), 2)
    return padded[1:-1, 1:-1] != 2


def polygon_mask(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boolean (H, W) inside of a polygon given as (N, 2) x, y pixels."""
    canvas = np.zeros(size, np.uint8)
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], 1)
    return canvas > 0
