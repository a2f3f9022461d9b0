"""Pictures to train on, made of examples: another frame, light, camera, background, and masks and poses that fail.

Everything follows from the generator that is given.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..parsing.framing import frame_matrix, person_box
from ..pose import KEYPOINT_NAMES
from .examples import Example, flip_example, warp_example


def augment(example: Example, size: tuple[int, int], rng: np.random.Generator) -> Example:
    """A picture to train on: another frame, light, camera and background.

    Args:
        size: (height, width) of the result.
        rng: decides everything.
    """
    example = warp_example(example, _random_frame(example, size, rng), size)
    if rng.random() < 0.5:
        example = flip_example(example)
    image = example.image
    if rng.random() < 0.35:
        image = _other_background(image, example.labels, rng)
    image = _camera(image, rng)
    return Example(image, example.labels, _worn_mask(example.alpha, rng), _worn_pose(example.keypoints, size, rng))


def _random_frame(example: Example, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    x, y, w, h = person_box(example.alpha, example.keypoints)
    points = example.keypoints
    kind = rng.random()
    row = {name: points[KEYPOINT_NAMES.index(name)] for name in ("neck", "right_hip", "right_knee")}
    if kind < 0.45 and min(p[2] for p in row.values()) > 0.1 and row["right_hip"][1] > row["neck"][1]:
        # The framing of shops: head or chin at the top, hips to knees at the bottom.
        hip, knee = row["right_hip"][1], max(row["right_knee"][1], row["right_hip"][1] + 1)
        bottom = hip + (knee - hip) * rng.uniform(-0.2, 1.1)
        top = y + rng.choice([0.0, 0.0, 0.6]) * (row["neck"][1] - y)
        visible = (points[:, 2] > 0.1) & (points[:, 1] < bottom)
        left, right = points[visible, 0].min(), points[visible, 0].max()
        wide = max(right - left, 0.45 * (bottom - top)) * 1.25
        x, w = (left + right - wide) / 2, wide
        y, h = top, max(bottom - top, 8.0)
        margin = rng.uniform(-0.03, 0.1)
    else:
        margin = rng.uniform(-0.04, 0.12) if kind < 0.85 else rng.uniform(0.12, 0.45)
    x += rng.normal(0, 0.04) * w
    y += rng.normal(0, 0.02) * h
    return frame_matrix((x, y, w, h), size, margin, rng.normal(0, 5))


def _other_background(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The person before a studio's wall: a grey or a pale colour, with a soft change of light."""
    height, width = labels.shape
    base = rng.uniform(110, 255)
    colour = np.clip(base + rng.normal(0, 8, 3) * (rng.random() < 0.6), 0, 255)
    slope = rng.normal(0, 18, 2)
    ramp = slope[0] * np.linspace(-0.5, 0.5, width)[None] + slope[1] * np.linspace(-0.5, 0.5, height)[:, None]
    wall = np.clip(colour + ramp[..., None], 0, 255).astype(np.float32)
    person = cv2.GaussianBlur((labels > 0).astype(np.float32), (0, 0), 0.8)[..., None]
    return (image * person + wall * (1 - person) + 0.5).astype(np.uint8)


def _camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, white balance, saturation, sharpness, noise, JPEG."""
    levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.25))
    levels = (levels - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5
    levels = levels * np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.05, 3))
    image = cv2.LUT(image, np.clip(levels * 255, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.7:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = float(np.clip(rng.normal(1, 0.3), 0, 1.8))
        image = cv2.addWeighted(image, keep, grey, 1 - keep, 0)
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.8))
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image


def _worn_mask(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Person masks fail: sometimes there is none, sometimes it is too wide or too narrow, or misses a part."""
    kind = rng.random()
    if kind < 0.12:
        return np.zeros_like(alpha)
    if kind < 0.4:
        steps = int(rng.integers(1, 4))
        alpha = (cv2.erode if rng.random() < 0.5 else cv2.dilate)(alpha, np.ones((3, 3), np.uint8), iterations=steps)
    elif kind < 0.55:
        height, width = alpha.shape
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        alpha = cv2.circle(alpha.copy(), centre, int(rng.uniform(0.03, 0.12) * height), int(rng.choice([0, 255])), -1)
    return alpha


def _worn_pose(keypoints: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    points = keypoints.copy()
    points[:, :2] += rng.normal(0, 0.006 * size[0], (18, 2)).astype(np.float32)
    points[rng.random(18) < 0.05] = 0
    return np.zeros_like(points) if rng.random() < 0.1 else points
