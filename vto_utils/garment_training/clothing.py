"""Photos of single garments with a label each, and masks found for them where two methods agree.

The photos are the CC0 clothing data set (Grigorev 2020): ``images/NAME.jpg`` and ``images.csv`` with the columns
``image`` and ``label``. It has no masks. :func:`agreed_mask` makes some: what the background remover and GrabCut
both call garment, and nothing where they differ.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..errors import InputError
from ..files import atomic_path
from ..networks.garment import LABELS

#: Grey of the pixels of a mask that are neither learned nor measured; 0 is ground and 255 garment.
UNKNOWN = 128
_SIDE = 320  # pixels, longer side of what is kept


def held_out(names: Sequence[str]) -> list[str]:
    """The tenth that is measured on: the names with the lowest SHA-256. Sorted by name."""
    return sorted(sorted(names, key=lambda name: sha256(name.encode()).hexdigest())[: max(1, len(names) // 10)])


class Clothing:
    """The photos, reduced, with labels and agreed masks.

    Args:
        folder: with ``images.csv`` and ``images/*.jpg``.
        cache: folder for the masks that :meth:`prepare` finds, one small PNG a photo.

    Attributes:
        labels: name -> number of :data:`~vto_utils.networks.garment.LABELS`.
        train, test: names; the test names are :func:`held_out`.

    Raises:
        InputError: the folder is not that data set.
    """

    def __init__(self, folder: str | os.PathLike, cache: str | os.PathLike) -> None:
        self.folder, self.cache = Path(folder).expanduser(), Path(cache).expanduser()
        try:
            with (self.folder / "images.csv").open(newline="", encoding="utf-8") as file:
                rows = [(row["image"], row["label"]) for row in csv.DictReader(file)]
        except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
            raise InputError(
                f"{self.folder / 'images.csv'} cannot be read as a table with the columns image and label: "
                "give the folder of the clothing photos, with images.csv and images/."
            ) from error
        present = {path.stem for path in (self.folder / "images").glob("*.jpg")}
        self.labels = {name: LABELS.index(label) for name, label in rows if label in LABELS and name in present}
        if len(self.labels) < 2:
            raise InputError(f"{self.folder / 'images'} holds no photo that images.csv names: get the data set again.")
        self.test = held_out(list(self.labels))
        chosen = set(self.test)
        self.train = sorted(name for name in self.labels if name not in chosen)
        self._kept: dict[str, np.ndarray] = {}

    def photo(self, name: str) -> np.ndarray:
        """uint8 HWC RGB, longer side 320 pixels; kept, 0.2 MB each, for decoding takes longer than all the rest."""
        if name not in self._kept:
            with Image.open(self.folder / "images" / f"{name}.jpg") as file:
                image = file.convert("RGB")
            image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
            self._kept[name] = np.array(image)
        return self._kept[name]

    def mask(self, name: str) -> np.ndarray | None:
        """uint8 HW as of :func:`agreed_mask`, or None where there is none that can be trusted."""
        path = self.cache / f"{name}.png"
        if not path.is_file():
            return None
        with Image.open(path) as file:
            mask = np.array(file)
        return mask if mask.shape == self.photo(name).shape[:2] else None

    def prepare(self, count: int | None = None, progress: bool = False) -> None:
        """Find the masks of training photos that were not looked at yet: a third of a second each.

        Args:
            count: of photos to have a mask looked for, those with the highest SHA-256; None: all.
            progress: show a bar.
        """
        order = sorted(self.train, key=lambda name: sha256(name.encode()).hexdigest(), reverse=True)[:count]
        missing = [name for name in order if not (self.cache / f"{name}.png").is_file()]
        if not missing:
            return
        from tqdm import tqdm

        from ..background import BackgroundRemover

        remover = BackgroundRemover()
        for name in tqdm(missing, desc="garment masks", disable=not progress):
            photo = self.photo(name)
            mask = agreed_mask(photo, remover.alpha(photo))
            if mask is None:
                mask = np.zeros((1, 1), np.uint8)  # looked at, and not to be trusted
            with atomic_path(self.cache / f"{name}.png") as path:
                Image.fromarray(mask).save(path, "PNG")


def agreed_mask(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray | None:
    """A garment mask that two methods agree on, or None.

    Args:
        photo: uint8 HWC RGB.
        alpha: uint8 HW, the background remover's.

    Returns:
        uint8 HW: 255 garment, 0 ground, :data:`UNKNOWN` where the methods differ. None unless the remover is
        sure nearly everywhere, the garment is one piece of 5 to 75 % of the photo, and GrabCut, which goes by
        colour, finds nearly the same.
    """
    coarse = alpha > 127
    share = coarse.mean()
    unsure = ((alpha > 40) & (alpha < 215)).sum() / max(coarse.sum(), 1)
    if not 0.05 < share < 0.75 or unsure > 0.12:
        return None
    _, _, stats, _ = cv2.connectedComponentsWithStats(coarse.astype(np.uint8), connectivity=8)
    if stats[1:, cv2.CC_STAT_AREA].max() < 0.97 * coarse.sum():
        return None
    border = np.concatenate([coarse[0], coarse[-1], coarse[:, 0], coarse[:, -1]])
    if border.mean() > 0.08:
        return None
    side = max(photo.shape[:2])
    sure = cv2.erode(coarse.astype(np.uint8), np.ones((3, 3)), iterations=max(2, side // 40))
    far = cv2.dilate(coarse.astype(np.uint8), np.ones((3, 3)), iterations=max(3, side // 20))
    trimap = np.where(coarse, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[far == 0] = cv2.GC_BGD
    if not sure.any() or not (trimap == cv2.GC_BGD).any():
        return None
    trimap[sure > 0] = cv2.GC_PR_FGD  # free to say otherwise: this is the test
    cv2.setRNGSeed(0)
    cv2.grabCut(photo, trimap, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    found = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))
    together = (found & coarse).sum() / max((found | coarse).sum(), 1)
    if together < 0.93:
        return None
    return np.where(found == coarse, np.where(coarse, 255, 0), UNKNOWN).astype(np.uint8)
