"""What colours say: the parts of one person differ in colour, and each has its own."""

from __future__ import annotations

import cv2
import numpy as np

BINS = (12, 32, 32)  # of a colour histogram, per Lab channel

_SURE = 0.5  # places where a class is likelier than this show its colours
_WEIGHT = 0.5  # of colours against what the network says
_ROUNDS = 2
_UNSEEN = 0.3  # how likely the colours of a class are that is sure nowhere, against the others' mean


def colour_bins(image: np.ndarray) -> np.ndarray:
    """(H, W) numbers of histogram bins of an (H, W, 3) float32 RGB picture in [0, 1]."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    cells = np.stack([lab[..., 0] / 100, (lab[..., 1] + 64) / 128, (lab[..., 2] + 64) / 128], -1)
    cells = np.clip(cells * BINS, 0, np.array(BINS) - 1).astype(int)
    return np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), BINS)


def histogram(bins: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Smoothed colour histogram as probabilities, with a floor so that no colour is impossible."""
    table = np.bincount(bins.reshape(-1), weight.reshape(-1), minlength=int(np.prod(BINS))).reshape(BINS)
    for _ in range(2):
        for axis in range(3):
            padded = np.concatenate([table.take([0], axis), table, table.take([-1], axis)], axis)
            keep = [slice(None)] * 3
            parts = []
            for offset in range(3):
                keep[axis] = slice(offset, offset + BINS[axis])
                parts.append(padded[tuple(keep)])
            table = 0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2]
    total = table.sum()
    return (table / total if total > 0 else np.full_like(table, 1 / table.size)).reshape(-1) + 2e-5


def weigh_by_colour(chances: np.ndarray, image: np.ndarray, alike: tuple[int, ...] = ()) -> np.ndarray:
    """Make classes likelier where the photo has the colours that they have where they are sure.

    As colour models do in interactive segmentation (Rother et al., GrabCut, SIGGRAPH 2004), with a network's
    answer in the place of the user's strokes.

    Args:
        chances: (C, H, W) float32 that add up to 1; class 0 is the background, whose chances stay.
        image: (H, W, 3) float32 RGB in [0, 1].
        alike: classes with the same colours, as bare skin has.

    Returns:
        (C, H, W) float32 that add up to 1.
    """
    bins = colour_bins(image)
    person = chances[0] < 0.5
    result = chances = np.maximum(chances, 1e-4)
    for _ in range(_ROUNDS):
        models = {}
        for number in range(1, len(chances)):
            sure = np.where(person & (result[number] > _SURE), result[number], 0)
            if np.count_nonzero(sure) > 8:
                models[number] = histogram(bins, sure)
        if not models:
            return result
        together = [number for number in alike if number in models]
        if together:
            models |= dict.fromkeys(together, sum(models[number] for number in together) / len(together))
        mean = sum(models.values()) / len(models)
        factors = {number: ((model / mean) ** _WEIGHT).astype(np.float32) for number, model in models.items()}
        result = chances.copy()
        for number in range(1, len(chances)):
            result[number] *= factors[number][bins] if number in factors else np.float32(_UNSEEN**_WEIGHT)
        result[1:] *= (1 - chances[0]) / np.maximum(result[1:].sum(0), 1e-9)
    return result
