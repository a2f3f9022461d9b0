"""The synthetic data set as examples."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from .examples import Example


class Synthetic:
    """Samples that ``python -m vto_utils synth`` made, both outfits, as :class:`Example` s.

    Raises:
        InputError: the folder is no such data set.
    """

    def __init__(self, folder: str | os.PathLike, split: str = "train") -> None:
        from ..synth import records

        self.folder = Path(folder).expanduser()
        records.read_dataset(self.folder)
        self.folder /= split
        self.indices = records.finished_samples(self.folder)
        if not self.indices:
            raise InputError(f"There is no sample of the split '{split}' in {folder}: make more samples.")

    def __len__(self) -> int:
        return 2 * len(self.indices)

    def read(self, number: int) -> Example:
        """Outfit ``number % 2`` of sample ``number // 2``."""
        from ..synth import layout, records

        index, swap = self.indices[number // 2], "_swap" if number % 2 else ""
        arrays = layout.decode(self.folder, index, (f"image{swap}", f"parse{swap}"))
        points = np.array(records.read_record(self.folder, index)["keypoints"], np.float32)
        labels = arrays[f"parse{swap}"]
        alpha = cv2.GaussianBlur(np.where(labels > 0, 255, 0).astype(np.uint8), (0, 0), 1.0)
        return Example(arrays[f"image{swap}"], labels, alpha, points)
