"""A contact sheet of a data set in VITON-HD's layout: what was written for each pair, and what could not be used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ..errors import InputError
from ..images import load_image
from ..plots import PAPER, labelled_sheet
from .galleries import thumbnail

_PERSON = {
    "photo": "image/{}.jpg", "pose": "openpose_img/{}_rendered.png", "parsing": "image-parse-v3/{}.png",
    "agnostic": "agnostic-v3.2/{}.jpg", "may be repainted": "agnostic-mask/{}_mask.png",
}  # fmt: skip
_CLOTH = {"garment": "cloth/{}.jpg", "garment mask": "cloth-mask/{}.jpg"}


def data_set_sheet(
    out: str | os.PathLike,
    failed: Sequence[tuple[Path, str]] = (),
    split: str = "test",
    most: int = 12,
    cell: tuple[int, int] = (220, 165),
) -> Image.Image:
    """One row for each pair of the data set, and below them the photos that could not be used, with the reason.

    Args:
        out: folder that :func:`vto_utils.preprocessing.preprocess_folders` wrote.
        failed: of its report: photo and sentence.
        split: as given to it.
        most: rows; later pairs are only counted.
        cell: (height, width) of a picture in pixels.

    Returns:
        PIL RGB picture.

    Raises:
        InputError: there is no such data set, or a file of it is missing or damaged.
    """
    root = Path(out)
    pairs = root / f"{split}_pairs.txt"
    if not pairs.is_file():
        raise InputError(f"There is no {pairs}: prepare the folders first.")
    rows = [line.split() for line in pairs.read_text(encoding="utf-8").splitlines() if line.strip()]
    pictures, names = [], []
    for person, cloth in rows[:most]:
        for kinds, name in ((_PERSON, Path(person).stem), (_CLOTH, Path(cloth).stem)):
            for title, path in kinds.items():
                pictures.append(_small(root / split / path.format(name), cell))
                names.append(name if title in ("photo", "garment") else title)
    sheets = []
    if pictures:
        more = f", the first {most} of them here" if len(rows) > most else ""
        title = f"{len(rows)} pairs{more}"
        sheets.append(labelled_sheet(pictures, names, len(_PERSON) + len(_CLOTH), cell, title))
    if failed:
        shown = [_thumbnail(path, cell) for path, _ in failed[:most]]
        title = f"{len(failed)} photos that could not be used"
        sheets.append(labelled_sheet(shown, [reason for _, reason in failed[:most]], 7, cell, title))
    return _stacked(sheets) if sheets else Image.new("RGB", cell[::-1], PAPER)


def _small(path: Path, cell: tuple[int, int]) -> Image.Image:
    picture = load_image(path)
    picture.thumbnail(cell[::-1])  # many pictures of full size would fill the memory
    return picture


def _thumbnail(path: Path, cell: tuple[int, int]) -> Image.Image:
    try:
        return thumbnail(path, cell)
    except InputError:  # the reason says that it cannot be read
        return Image.new("RGB", cell[::-1], PAPER)


def _stacked(sheets: Sequence[Image.Image]) -> Image.Image:
    size = max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)
    whole = Image.new("RGB", size, PAPER)
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole
