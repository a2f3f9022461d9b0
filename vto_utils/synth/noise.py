"""Smooth random fields."""

from __future__ import annotations

import cv2
import numpy as np


class Field:
    """A smooth, endlessly repeated random field: standard normal values on the whole numbers, cubic between them."""

    SIZE = 128

    def __init__(self, rng: np.random.Generator) -> None:
        grid = rng.standard_normal((self.SIZE, self.SIZE)).astype(np.float32)
        self._grid = np.ascontiguousarray(np.pad(grid, 4, mode="wrap"))

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Values at (u, v), any shape with at most two dimensions: float32 of that shape."""
        shape = np.shape(u)
        x = np.mod(np.asarray(u, np.float32), self.SIZE).reshape(shape if len(shape) == 2 else (-1, 1)) + 4
        y = np.mod(np.asarray(v, np.float32), self.SIZE).reshape(x.shape) + 4
        # cv2.remap takes at most 32767 rows
        parts = [
            cv2.remap(self._grid, x[k : k + 30000], y[k : k + 30000], cv2.INTER_CUBIC) for k in range(0, len(x), 30000)
        ]
        return np.concatenate(parts).reshape(shape)
