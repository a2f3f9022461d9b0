"""Several garments on several people: one picture, and a sentence for whatever could not be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ..errors import InputError
from ..plots import PAPER, labelled_sheet
from .fitting_room import FittingRoom, TryOnSettings


@dataclass(frozen=True)
class TryOnGrid:
    """What :func:`try_on_grid` made.

    Attributes:
        picture: garments across the top, people down the left side, results where they meet.
        count: of the results in it.
        notes: why a photo was left out or a place is empty.
    """

    picture: Image.Image
    count: int
    notes: tuple[str, ...]


def try_on_grid(
    room: FittingRoom,
    people: Sequence[Path],
    garments: Sequence[Path],
    settings: TryOnSettings | None = None,
    cell: tuple[int, int] = (320, 240),
    progress: bool = False,
) -> TryOnGrid:
    """Try each garment on each person. Photos that cannot be used are named, and the others go on.

    Args:
        room: where.
        people, garments: photos.
        settings: how.
        cell: (height, width) of one picture in pixels.
        progress: show a bar.

    Raises:
        InputError: there is no photo of a person or of a garment that can be used.
    """
    from tqdm import tqdm

    settings = settings or TryOnSettings()
    notes: list[str] = []
    wardrobe = {}
    for path in garments:
        try:
            wardrobe[path] = room.garment(path, settings)
        except InputError as error:
            notes.append(str(error))
    if not wardrobe or not people:
        raise InputError(notes[0] if notes else "A grid needs at least one photo of a person and one of a garment.")
    empty = Image.new("RGB", cell[::-1], PAPER)
    pictures = [empty, *(garment.image for garment in wardrobe.values())]
    labels = ["", *(path.stem for path in wardrobe)]
    count = rows = 0
    with tqdm(total=len(people) * len(wardrobe), desc="try-ons", disable=not progress) as bar:
        for person in people:
            try:
                shown = room.person(person, settings).image
            except InputError as error:
                notes.append(str(error))
                bar.update(len(wardrobe))
                continue
            rows += 1
            pictures.append(shown)
            labels.append(person.stem)
            for path in wardrobe:
                try:
                    pictures.append(room.dress(person, path, settings).image)
                    labels.append("")
                    count += 1
                except InputError as error:
                    pictures.append(empty)
                    labels.append("not possible")
                    notes.append(f"{path.name}: {error}")
                bar.update()
    if not rows:
        raise InputError(notes[-1])
    sheet = labelled_sheet(pictures, labels, columns=1 + len(wardrobe), cell=cell)
    return TryOnGrid(sheet, count, tuple(notes))
