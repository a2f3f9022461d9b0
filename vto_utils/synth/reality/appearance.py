"""Statistics of pictures of people and of flat garments: sizes, layout, colours, gradients, sleeves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...pose import KEYPOINT_NAMES, Pose
from .accuracy import torso

if TYPE_CHECKING:
    from ...silhouette import Landmarks

_LONG = 0.6  # breadths of the chest from which on a sleeve counts as long
_HEIGHT = 512  # pixels, at which pictures are compared
_LEVELS = np.linspace(0.02, 0.98, 25)  # quantiles that stand for the pixels of one picture


def _lab(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 CIE L, a, b of uint8 RGB."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _slope(lightness: np.ndarray) -> np.ndarray:
    """Gradient magnitude in units of lightness per pixel (central differences)."""
    right = (np.roll(lightness, -1, 1) - np.roll(lightness, 1, 1)) / 2
    below = (np.roll(lightness, -1, 0) - np.roll(lightness, 1, 0)) / 2
    return np.hypot(right, below)


def _spread(values: np.ndarray) -> list[float]:
    """Quantiles that stand for many pixels."""
    return np.quantile(values, _LEVELS).tolist() if values.size > 50 else []


def _inside(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)).astype(bool)


def _normal_size(image: np.ndarray, *masks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Picture and masks at the height at which they are compared."""
    width = round(image.shape[1] * _HEIGHT / image.shape[0])
    size = (width, _HEIGHT)
    if image.shape[:2] == size[::-1]:
        return image, *(mask.astype(bool) for mask in masks)
    how = cv2.INTER_AREA if image.shape[0] > _HEIGHT else cv2.INTER_LINEAR
    small = (cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0 for mask in masks)
    return cv2.resize(image, size, interpolation=how), *small


def person_values(
    image: np.ndarray, person: np.ndarray, garment: np.ndarray, skin: np.ndarray, pose: Pose | None
) -> dict[str, list[float]]:
    """Statistics of a picture of a person.

    Args:
        image: (H, W, 3) uint8 RGB.
        person, garment, skin: (H, W) bool.
        pose: as found; may be missing.
    """
    layout_values = {} if pose is None else _layout_values(pose.keypoints, image.shape[:2])
    image, person, garment, skin = _normal_size(image, person, garment, skin)
    lab = _lab(image)
    slope = _slope(lab[..., 0])
    ground = ~cv2.dilate(person.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)
    inner, body = _inside(garment, 4), _inside(person, 2)
    values = {
        "garment's share": [float(garment.mean())],
        "person's share": [float(person.mean())],
        "garment L": _spread(lab[inner, 0]), "garment a": _spread(lab[inner, 1]), "garment b": _spread(lab[inner, 2]),
        "skin L": _spread(lab[_inside(skin, 2), 0]), "skin a": _spread(lab[_inside(skin, 2), 1]),
        "skin b": _spread(lab[_inside(skin, 2), 2]),
        "gradient, person": _spread(slope[body]), "gradient, garment": _spread(slope[inner]),
        "gradient, skin": _spread(slope[_inside(skin, 3)]), "gradient, ground": _spread(slope[ground]),
    }  # fmt: skip
    if ground.sum() > 500:
        values["ground L"] = [float(np.median(lab[ground, 0]))]
        values["ground L, spread"] = [float(lab[ground, 0].std())]
    if inner.sum() > 500:
        values["garment L, spread"] = [float(lab[inner, 0].std())]
    return values | layout_values


def _layout_values(points: np.ndarray, size: tuple[int, int]) -> dict[str, list[float]]:
    """Where the body is in the picture, and where the limbs are beside the body."""
    height, width = size
    length, down, left = torso(points)
    hips = points[[8, 11], :2].mean(0)
    values = {
        "neck x": [float(points[1, 0] / width)],
        "neck y": [float(points[1, 1] / height)],
        "hips y": [float(hips[1] / height)],
        "torso's height": [length / height],
        "shoulders / torso": [float(np.linalg.norm(points[5, :2] - points[2, :2]) / max(length, 1e-6))],
        "hips / torso": [float(np.linalg.norm(points[11, :2] - points[8, :2]) / max(length, 1e-6))],
    }
    for name in ("elbow", "wrist"):
        for side, sign in (("right", -1), ("left", 1)):
            x, y, known = points[KEYPOINT_NAMES.index(f"{side}_{name}")]
            if known > 0.3:
                off = (np.array([x, y], float) - points[1, :2]) / max(length, 1e-6)
                values.setdefault(f"{name} out", []).append(sign * float(off @ left))
                values.setdefault(f"{name} down", []).append(float(off @ down))
    if points[0, 2] > 0.3:
        values["nose above neck"] = [-float((points[0, :2] - points[1, :2]) @ down / max(length, 1e-6))]
    ankles = points[[10, 13]]
    if (ankles[:, 2] > 0.3).all():
        values["ankles y"] = [float(ankles[:, 1].mean() / height)]
        values["legs / torso"] = [float(np.linalg.norm(ankles[:, :2].mean(0) - hips) / max(length, 1e-6))]
    return values


def sleeve_values(landmarks: Landmarks) -> dict[str, list[float]]:
    """Proportions of a flat top: lengths in breadths of the chest; angles of its sleeves in degrees from hanging
    straight down (0) to horizontal (90). Nothing of an outline that was not understood: two sleeves that differ by
    a half, or a body that no garment has."""
    points = landmarks.points
    chest = float(np.linalg.norm(points["left_underarm"] - points["right_underarm"]))
    length = float(points["hem"][1] - (points["left_neck"] + points["right_neck"])[1] / 2)
    if not 0.7 * chest < length < 3.5 * chest:
        return {}
    hem = float(np.linalg.norm(points["left_hem"] - points["right_hem"]))
    neck = float(np.linalg.norm(points["left_neck"] - points["right_neck"]))
    values = {"length / chest": [length / chest], "hem / chest": [hem / chest], "neck / chest": [neck / chest]}
    lengths = [sleeve.length for sleeve in landmarks.sleeves.values()]
    if len(lengths) != 2 or max(lengths) > 1.5 * min(lengths):
        return values
    kind = "long" if np.mean(lengths) > _LONG * chest else "short"
    for side, sign in (("right", -1), ("left", 1)):
        sleeve = landmarks.sleeves[side]
        middle = (sleeve.outer + sleeve.inner) / 2
        x, y = middle[-1] - middle[0]
        opening = float(np.linalg.norm(sleeve.outer[-1] - sleeve.inner[-1]))
        values.setdefault(f"{kind} sleeve's angle", []).append(float(np.degrees(np.arctan2(sign * x, y))))
        values.setdefault(f"{kind} sleeve's length / chest", []).append(sleeve.length / chest)
        values.setdefault(f"{kind} sleeve's cuff / chest", []).append(opening / chest)
    return values


def flat_values(image: np.ndarray, mask: np.ndarray) -> dict[str, list[float]]:
    """Statistics of a picture of a flat garment; (H, W, 3) uint8 RGB, (H, W) bool."""
    if mask.sum() < 200:
        return {}
    ys, xs = np.nonzero(mask)
    tall, wide = float(np.ptp(ys) + 1), float(np.ptp(xs) + 1)
    values = {
        "box: height": [tall / mask.shape[0]], "box: width": [wide / mask.shape[1]],
        "box: width / height": [wide / tall],
        "share of its box": [float(mask.sum() / (tall * wide))], "garment's share": [float(mask.mean())],
    }  # fmt: skip
    image, mask = _normal_size(image, mask)
    lab = _lab(image)
    inner = _inside(mask, 4)
    ground = ~cv2.dilate(mask.astype(np.uint8), np.ones((31, 31), np.uint8)).astype(bool)
    values |= {f"garment {name}": _spread(lab[inner, k]) for k, name in enumerate("Lab")}
    values["gradient, garment"] = _spread(_slope(lab[..., 0])[inner])
    if inner.sum() > 500:
        values["garment L, spread"] = [float(lab[inner, 0].std())]
    if ground.sum() > 500:
        values["ground L"] = [float(np.median(lab[ground, 0]))]
    return values
