"""Whole try-ons on real photos of people who wear exactly the given garment: the photo is the right answer.

The try-on sees the garment's own photo and the person with that garment on. It must take the garment off and put it on
again; all the rest of the photo stays, so that figures are high, and have to be read beside those of two answers that
need no try-on: the repainted region left grey, and the garment pasted into the box of the old one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from ..datasets.pairs import read_pairs
from ..datasets.sample import visible_garment
from ..errors import InputError
from ..fitting import WEIGHTS
from ..images import to_tensor
from ..tryon import TryOn, TryOnResult
from .measures import Meter
from .tables import mean, weights_facts

_GREY = 128
BOX, GREY = "garment in box", "grey"


class TruePair(NamedTuple):
    """A photo of a person, and one of what this person wears."""

    person: Path
    garment: Path
    category: str

    @property
    def name(self) -> str:
        """File names, for tables."""
        one, other = self.person.name, self.garment.name
        return one if one == other else f"{one} {other}"


@dataclass
class FoundPairs:
    """What was measured.

    Attributes:
        weights: of the networks, if there are any.
        names: of the pairs that could be measured.
        rows: way of dressing -> figures of each pair.
        refusals: why other pairs could not be measured.
        pictures: (label, picture) of the first pairs, row by row.
    """

    weights: dict[str, Any] | None = None
    names: list[str] = field(default_factory=list)
    rows: dict[str, list[dict[str, float | None]]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    pictures: list[tuple[str, Image.Image]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """``names`` of pairs, and ``figures``: way of dressing -> pair or ``mean`` -> ``ssim``, ``perceptual``."""
        found = {}
        for way, rows in self.rows.items():
            found[way] = dict(zip(self.names, rows, strict=True))
            found[way]["mean"] = {key: mean(row[key] for row in rows) for key in ("ssim", "perceptual")}
        return {"names": self.names, "figures": found}

    def sheet(self) -> tuple[list[tuple[str, Image.Image]], int]:
        """Labelled pictures and how many make a row: photo, garment, each way of dressing."""
        return self.pictures, len(self.rows) + 2


def true_pairs(file: str | os.PathLike, persons: str | os.PathLike, garments: str | os.PathLike) -> list[TruePair]:
    """The pairs of a list, ``PERSON.jpg GARMENT.jpg [category]`` a line.

    Raises:
        InputError: the list cannot be read, or a photo is missing.
    """
    people, cloths = Path(persons).expanduser(), Path(garments).expanduser()
    pairs = [
        TruePair(people / person, cloths / garment, category or "auto")
        for person, garment, category in read_pairs(Path(file).expanduser())
    ]
    for path in (path for pair in pairs for path in pair[:2]):
        if not path.is_file():
            raise InputError(f"There is no {path}, which {file} names: check the folder, or remove the line.")
    return pairs


def measure_pairs(
    pairs: Sequence[TruePair],
    meter: Meter,
    size: tuple[int, int] = (512, 384),
    weights: str | os.PathLike | None = None,
    shown: int = 0,
    progress: bool = False,
) -> FoundPairs:
    """Dress people in what they wear and compare with their photos.

    The try-on runs at the photo's own size. Measured are the learned warp where there are weights for it, the geometric
    one, and the two answers without a try-on. A pair that is refused is left out: unchanged, it would look perfect.

    Args:
        pairs: of :func:`true_pairs`.
        meter: measures the pictures.
        size: (height, width) within which pictures are shrunk to be compared, in their own proportions.
        weights: folder of networks; the package's own, if it has any, when not given.
        shown: of how many pairs pictures are kept.
        progress: show a bar.

    Raises:
        InputError: no pair can be measured, or there are no networks in ``weights``.
    """
    from tqdm import tqdm

    folder = weights or (WEIGHTS if WEIGHTS.is_dir() else None)
    found = FoundPairs(weights=weights_facts(folder) if folder else None)
    with contextlib.ExitStack() as stack:
        ways = {"geometric": stack.enter_context(TryOn(meter.device, "geometric"))}
        if folder:
            ways["learned"] = stack.enter_context(TryOn(meter.device, "learned", weights=folder))
        for pair in tqdm(pairs, desc="pairs", disable=not progress):
            try:
                person = ways["geometric"].prepare_person(pair.person, pair.person.name)
                garment = ways["geometric"].prepare_garment(pair.garment, pair.category)
                results = {name: tryon(person, garment) for name, tryon in ways.items()}
            except InputError as error:
                found.refusals.append(str(error))
                continue
            pictures = {name: result.image for name, result in results.items()}
            pictures |= {BOX: boxed(results["geometric"]), GREY: greyed(results["geometric"])}
            truth = to_tensor(shrunk(person.image, size)).to(meter.device)
            for name, picture in pictures.items():
                figures = meter.likeness(to_tensor(shrunk(picture, size)).to(meter.device), truth)
                found.rows.setdefault(name, []).append(figures)
            if len(found.names) < shown:
                sources = {pair.name: person.image, garment.category: garment.image}
                found.pictures += [(text, shrunk(picture, size)) for text, picture in (sources | pictures).items()]
            found.names.append(pair.name)
    if not found.names:
        raise InputError(f"None of the pairs could be measured, the first one for this: {found.refusals[0]}")
    return found


def shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture within (height, width), in its own proportions; smaller ones stay."""
    scale = min(size[0] / image.height, size[1] / image.width, 1.0)
    wanted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if wanted == image.size else image.resize(wanted, Image.Resampling.LANCZOS)


def greyed(result: TryOnResult) -> Image.Image:
    """The person's photo with the region that the try-on may repaint in grey."""
    photo = np.array(result.person.image)
    photo[result.agnostic_mask > 0] = _GREY
    return Image.fromarray(photo)


def boxed(result: TryOnResult) -> Image.Image:
    """The same with the garment's picture stretched over the box of what it replaces, within that region."""
    garment, region = result.garment, result.agnostic_mask > 0
    canvas = np.asarray(greyed(result), np.float32)
    old = visible_garment(result.person.parsing, garment.category)
    top, bottom, left, right = _box(old if old.any() else region)
    y0, y1, x0, x1 = _box(garment.mask > 127)
    size = (right - left, bottom - top)
    cloth = cv2.resize(np.asarray(garment.image)[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(garment.mask[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)[..., None] / 255
    pasted = canvas.copy()
    pasted[top:bottom, left:right] += share * (cloth - pasted[top:bottom, left:right])
    return Image.fromarray(np.where(region[..., None], np.round(pasted), canvas).astype(np.uint8))


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """First and past-the-last row, and the same of columns, of what a bool HW mask shows."""
    ys, xs = np.nonzero(mask)
    return int(ys.min()), int(ys.max()) + 1, int(xs.min()), int(xs.max()) + 1
