"""What is done to a garment or its ground to make the picture harder: colours, stripes, hangers, shadows."""

from __future__ import annotations

import cv2
import numpy as np

from .sources import Cutout


def restyle(cutout: Cutout, ground: np.ndarray, rng: np.random.Generator, gentle: bool = False) -> Cutout:
    """Another colour for the cloth: often the ground's own, or stripes of it.

    Args:
        cutout: what is dyed.
        ground: float32 HWC RGB in [0, 255], what it will lie on.
        gentle: leave most as they are.
    """
    draw = float(rng.random()) * (3 if gentle else 1)
    image = cutout.image
    near = np.median(ground.reshape(-1, 3), 0).astype(np.float32)
    if draw < 0.22:  # the ground's colour, a little darker or lighter; folds and seams stay
        grey = image.mean(2, keepdims=True)
        relief = grey - np.median(grey[cutout.alpha > 0.5]) if (cutout.alpha > 0.5).any() else grey * 0
        image = near + rng.normal(0, 4, 3) + rng.uniform(-16, 8) + relief * rng.uniform(0.15, 0.5)
    elif draw < 0.38:
        angle = float(rng.choice([0, 0, 0, np.pi / 2, rng.uniform(0, np.pi)]))
        rows, columns = np.indices(cutout.alpha.shape)
        period = rng.uniform(0.03, 0.16) * max(cutout.alpha.shape)
        turn = (rows * np.cos(angle) + columns * np.sin(angle)) / period + rng.random()
        stripe = (turn % 1 < rng.uniform(0.3, 0.65))[..., None]
        grey = image.mean(2, keepdims=True)
        relief = (grey - grey.mean()) * 0.25
        image = np.where(stripe, near + rng.uniform(-8, 5) + relief, image)
    elif draw < 0.55:
        image = image[..., rng.permutation(3)] * rng.uniform(0.6, 1.2)
    return Cutout(np.clip(image, 0, 255).astype(np.float32), cutout.alpha, cutout.label, cutout.category, cutout.hangs)


def shadowed(ground: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The ground with the soft shadow of what will lie on it."""
    strength = float(rng.choice([0, rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.4)], p=(0.3, 0.5, 0.2)))
    if strength == 0:
        return ground
    side = max(alpha.shape)
    move = np.float32([[1, 0, rng.normal(0, 0.012) * side], [0, 1, rng.normal(0.006, 0.012) * side]])
    shade = cv2.warpAffine(alpha, move, alpha.shape[::-1])
    shade = cv2.GaussianBlur(shade, (0, 0), float(rng.uniform(0.003, 0.025)) * side)
    return ground * (1 - strength * shade[..., None])


def hang(ground: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The ground with a hanger whose hook stands above the garment; what the garment hides is painted over later."""
    ys, xs = np.nonzero(alpha > 0.5)
    if len(ys) == 0:
        return ground
    top, tall = ys.min(), np.ptp(ys)
    upper = xs[ys < top + 0.15 * tall]
    middle, wide = float(np.median(upper)), max(float(np.ptp(upper)), 8.0)
    side = max(alpha.shape)
    colour = np.array((rng.uniform(60, 200), 0, 0))
    colour[1:] = colour[0] * rng.uniform(0.55, 1, 2)
    if rng.random() < 0.5:
        colour = np.full(3, float(rng.choice([20, 60, 190, 235])))
    thick = max(1, round(side * rng.uniform(0.006, 0.022)))
    picture = np.ascontiguousarray(ground, np.float32)
    neck = np.array((middle, top + rng.uniform(0.0, 0.06) * tall))
    reach = rng.uniform(0.06, 0.14) * side
    tint = tuple(float(c) for c in colour)
    for direction in (-1, 1):
        end = neck + (direction * wide * rng.uniform(0.45, 0.6), wide * rng.uniform(0.12, 0.3))
        cv2.line(picture, tuple(neck.astype(int).tolist()), tuple(end.astype(int).tolist()), tint, thick, cv2.LINE_AA)
    bow = reach * rng.uniform(0.25, 0.4)
    wire = max(1, thick // 2)
    centre = (int(neck[0]), int(neck[1] - reach + bow))
    cv2.line(picture, tuple(neck.astype(int).tolist()), (centre[0], int(centre[1] + bow)), tint, wire, cv2.LINE_AA)
    cv2.ellipse(picture, centre, (int(bow), int(bow)), 0, 90, -150, tint, wire, cv2.LINE_AA)
    return picture
