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
        columns = 512  # as a picture: cv2.remap is slow on a long column, and takes at most 32767 rows
        rows = -(-int(np.prod(shape)) // columns)
        place = np.zeros((2, rows * columns), np.float32)
        place[0, : np.prod(shape)] = np.mod(np.asarray(u, np.float32), self.SIZE).ravel()
        place[1, : np.prod(shape)] = np.mod(np.asarray(v, np.float32), self.SIZE).ravel()
        x, y = place.reshape(2, rows, columns) + 4
        return cv2.remap(self._grid, x, y, cv2.INTER_CUBIC).ravel()[: np.prod(shape)].reshape(shape)
