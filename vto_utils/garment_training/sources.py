"""Where garments, people and grounds are taken from: clothing photos, synthetic data, Clothing Co-Parsing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from ..errors import InputError
from ..networks.garment import CATEGORIES, CATEGORY_OF, LABELS
from .clothing import Clothing

if TYPE_CHECKING:
    from .stream import Picture

_SIDE = 384  # pixels, longer side of what is kept
_CCP_HELD_OUT = 100


@dataclass(frozen=True)
class Cutout:
    """Something cut out of its photo."""

    image: np.ndarray  # (H, W, 3) float32 RGB in [0, 255]
    alpha: np.ndarray  # (H, W) float32 in [0, 1]
    label: int = -1  # of LABELS; -1: not known
    category: int = -1  # of CATEGORIES; -1: not known
    hangs: bool = False  # a hanger may be drawn above it


class Flats:
    """Flat garments of a data set that ``python -m vto_utils synth`` made, with their masks; kept, reduced.

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
        self._kept: dict[str, tuple] = {}

    def __len__(self) -> int:
        return 2 * len(self.indices)

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray, int]:
        """uint8 HWC RGB flat, its uint8 HW mask {0, 255}, number of its category."""
        from ..synth import layout, records

        index, swap = self.indices[number // 2], "_swap" if number % 2 else ""
        arrays = layout.decode(self.folder, index, (f"cloth{swap}", f"cloth_mask{swap}"))
        record = records.read_record(self.folder, index)
        return arrays[f"cloth{swap}"], arrays[f"cloth_mask{swap}"], CATEGORIES.index(record["category"])

    def small(self, number: int) -> tuple[np.ndarray, np.ndarray, int]:
        """The same, longer side 384 pixels."""
        if number not in self._kept:
            image, mask, category = self.read(number)
            factor = min(1.0, _SIDE / max(mask.shape))
            if factor < 1:
                image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
                mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_AREA)
                mask = np.where(mask > 127, 255, 0).astype(np.uint8)
            self._kept[number] = image, mask, category
        return self._kept[number]

    def people(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 HWC RGB picture of the person of sample ``number // 2`` and the person's mask, float32 in [0, 1]."""
        from ..synth import layout

        index, swap = self.indices[number // 2], "_swap" if number % 2 else ""
        arrays = layout.decode(self.folder, index, (f"image{swap}", f"parse{swap}"))
        return arrays[f"image{swap}"], (arrays[f"parse{swap}"] > 0).astype(np.float32)


class CCPPeople:
    """People of Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014) with masks; the parser's 100 are left out.

    Raises:
        InputError: the folder is not that data set.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        from ..parser_training.ccp import held_out as parser_held_out

        self.folder = Path(folder).expanduser()
        names = sorted(path.stem for path in (self.folder / "labels").glob("*.png"))
        if not names:
            raise InputError(f"{self.folder / 'labels'} holds no .png file: give the folder of Clothing Co-Parsing.")
        self.test = parser_held_out(names, min(_CCP_HELD_OUT, len(names) // 2))
        chosen = set(self.test)
        self.train = [name for name in names if name not in chosen]

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """uint8 HWC RGB photo and the person's mask, float32 HW in [0, 1]."""
        with Image.open(self.folder / "photos" / f"{name}.jpg") as file:
            image = np.array(file.convert("RGB"))
        with Image.open(self.folder / "labels" / f"{name}.png") as file:
            mask = (np.array(file) > 0).astype(np.float32)
        return image, cv2.GaussianBlur(mask, (0, 0), 0.8)


class Sources:
    """All of them behind one face; each may be missing, not all.

    Raises:
        InputError: there are neither clothing photos nor synthetic flats.
    """

    def __init__(
        self, clothing: Clothing | None = None, flats: Flats | None = None, people: CCPPeople | None = None
    ) -> None:
        if clothing is None and flats is None:
            raise InputError("There is nothing to learn garments from: give --clothing, --synth or both.")
        self.clothing, self.flats, self.people = clothing, flats, people
        self.masked: list[str] = []
        if clothing is not None:
            self.masked = [name for name in clothing.train if clothing.mask(name) is not None]
            numbers = np.array([clothing.labels[name] for name in clothing.train])
            count = np.bincount(numbers, minlength=len(LABELS)).clip(1)
            self._chances = (1 / np.sqrt(count))[numbers]  # rare labels oftener, but not as often as common ones
            self._chances /= self._chances.sum()

    def present(self) -> set[str]:
        """The sorts of pictures that can be made."""
        sorts = {"laid", "several", "nothing"}
        if self.clothing is not None:
            sorts.add("photo")
            if not self.masked and self.flats is None:
                sorts -= {"laid", "several"}
        if self.flats is not None:
            sorts |= {"flat", "person"}
        if self.people is not None:
            sorts.add("person")
        return sorts

    def photo(self, rng: np.random.Generator) -> Picture:
        """A clothing photo as it is."""
        from .stream import Picture

        name = self.clothing.train[int(rng.choice(len(self.clothing.train), p=self._chances))]
        label = self.clothing.labels[name]
        return Picture(self.clothing.photo(name), self.clothing.mask(name), 0, label, category_number(label))

    def flat(self, rng: np.random.Generator) -> Picture:
        """A synthetic flat as it is."""
        from .stream import Picture

        image, mask, category = self.flats.small(int(rng.integers(len(self.flats))))
        return Picture(image, mask, 0, -1, category)

    def cutout(self, rng: np.random.Generator) -> Cutout:
        """A garment out of its photo."""
        if self.flats is None or (self.masked and rng.random() < 0.6):
            name = self.masked[int(rng.integers(len(self.masked)))]
            image, mask, label = self.clothing.photo(name), self.clothing.mask(name), self.clothing.labels[name]
            alpha = cv2.erode((mask == 255).astype(np.uint8), np.ones((3, 3)))  # the rim has the old ground's colour
            category, hangs = category_number(label), label < 10
        else:
            image, mask, category = self.flats.small(int(rng.integers(len(self.flats))))
            alpha, label, hangs = cv2.erode((mask > 127).astype(np.uint8), np.ones((3, 3))), -1, category != 1
        alpha = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 0.7)
        return Cutout(image.astype(np.float32), alpha, label, category, hangs)

    def person(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """uint8 HWC RGB photo of a person and the person's mask, float32 HW in [0, 1]."""
        if self.flats is None or (self.people is not None and rng.random() < 0.7):
            return self.people.read(self.people.train[int(rng.integers(len(self.people.train)))])
        return self.flats.people(int(rng.integers(len(self.flats))))

    def border(self, rng: np.random.Generator) -> np.ndarray | None:
        """A piece of a photo, uint8 HWC RGB, without any garment: a strip along its border."""
        if not self.masked:
            return None
        name = self.masked[int(rng.integers(len(self.masked)))]
        photo, garment = self.clothing.photo(name), self.clothing.mask(name) != 0
        rows, columns = np.flatnonzero(garment.any(1)), np.flatnonzero(garment.any(0))
        strips = (photo[: rows[0]], photo[rows[-1] + 1 :], photo[:, : columns[0]], photo[:, columns[-1] + 1 :])
        strips = [strip[2:-2, 2:-2] for strip in strips if min(strip.shape[:2]) > 24]
        return strips[int(rng.integers(len(strips)))] if strips else None

    def cloth(self, rng: np.random.Generator) -> np.ndarray | None:
        """A square of cloth out of a garment's middle, uint8 HWC RGB."""
        if not self.masked:
            return None
        name = self.masked[int(rng.integers(len(self.masked)))]
        garment = (self.clothing.mask(name) == 255).astype(np.uint8)
        depth = cv2.distanceTransform(cv2.copyMakeBorder(garment, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_C, 3)
        depth = depth[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        reach = int(depth[y, x]) - 2
        if reach < 12:
            return None
        return self.clothing.photo(name)[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]


def category_number(label: int) -> int:
    """Number of the category of a label's number."""
    return CATEGORIES.index(CATEGORY_OF[LABELS[label]])
