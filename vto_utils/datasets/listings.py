"""Which pairs a folder of a known layout holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError
from .checks import Listing, named
from .layouts import DRESSCODE, VITON, VITON_HD, Pair
from .pairs import first_file, read_pairs
from .sample import CATEGORIES


def list_viton_hd(root: Path, split: str, paired: bool, incomplete: str = "refuse") -> Listing:
    """VITON-HD: paired, every person of the list goes with the garment photo of the person's own name.

    VITON-HD knows tops only. A third column of the list may name another category, and in a folder that
    :mod:`vto_utils.preprocessing` wrote the garment's outline tells.

    Args:
        root: folder with ``SPLIT_pairs.txt`` and ``SPLIT/``.
        split: ``train``, ``test`` or another name.
        paired: otherwise the garments that the list (``SPLIT_pairs_unpaired.txt``, where there is one) names.
        incomplete: ``refuse``, or ``skip`` persons without a garment photo of their own.

    Raises:
        InputError: the list cannot be used, or persons lack a garment photo of their own.
    """
    plain = root / f"{split}_pairs.txt"
    source = plain if paired else first_file(root / f"{split}_pairs_unpaired.txt", plain)
    lines = read_pairs(source)
    folder = root / split / "cloth"
    told = {cloth: category for _, cloth, category in lines if category}
    guessed = (root / split / ".done").is_dir()

    def pair(person: str, cloth: str) -> Pair:
        mask = root / split / "cloth-mask" / cloth
        if cloth not in told:
            told[cloth] = guessed_category(mask) if guessed and mask.is_file() else "upper_body"
        return Pair(root / split, person, cloth, told[cloth])

    if not paired:
        return Listing(VITON_HD, [pair(person, cloth) for person, cloth, _ in lines], str(source))
    persons = list(dict.fromkeys(person for person, _, _ in lines))
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    without = [person for person in persons if person not in there]
    # Where a list names the person's own garment, a missing file is a missing file, and told as such.
    listed = {line[:2] for line in lines}
    foreign = [name for name in without if (name, name) not in listed]
    if foreign and (incomplete == "refuse" or len(foreign) == len(persons)):
        raise InputError(
            f"{len(foreign)} of {len(persons)} persons of {source} have no photo of the garment they wear in "
            f"{folder} ({named(foreign)}), so there is nothing to compare a result with: "
            "open the data set unpaired (pairing='unpaired'), or add these photos under the person's name."
        )
    lost = set(foreign)
    return Listing(VITON_HD, [pair(name, name) for name in persons if name not in lost], str(source))


def list_viton(root: Path, split: str, paired: bool) -> Listing:
    """VITON as CP-VTON has it: paired, person ``000001_0.jpg`` goes with garment ``000001_1.jpg``."""
    source = root / f"{split}_pairs.txt"
    pairs = []
    for person, cloth, _ in read_pairs(source):
        stem, dot, ending = person.rpartition(".")
        number = stem.rpartition("_")[0]
        own = f"{number}_1{dot}{ending}" if number else person
        pairs.append(Pair(root / split, person, own if paired else cloth, "upper_body"))
    return Listing(VITON, list(dict.fromkeys(pairs)), str(source))


def list_dresscode(root: Path, split: str, paired: bool, categories: tuple[str, ...] = CATEGORIES) -> Listing:
    """DressCode: the lists of the categories that are there, one after the other.

    ``train`` is always paired; the other splits have one list for each: ``test_pairs_paired.txt`` and
    ``test_pairs_unpaired.txt``.
    """
    folders = [root / category for category in categories if (root / category).is_dir()]
    if not folders:
        raise InputError(f"{root} has none of the folders {', '.join(categories)}: choose other categories.")
    pairs, sources = [], []
    for folder in folders:
        ending = "paired" if paired else "unpaired"
        plain, own = folder / f"{split}_pairs.txt", folder / f"{split}_pairs_{ending}.txt"
        source = first_file(plain, own) if paired else first_file(own, plain)
        for person, cloth, _ in read_pairs(source):
            number = person.rpartition(".")[0].rpartition("_")[0]
            if paired and number and not cloth.startswith(f"{number}_"):
                raise InputError(
                    f"{source} pairs {person} with {cloth}, which is not the garment that this person wears: "
                    f"give the list {own.name}, or open the data set unpaired (pairing='unpaired')."
                )
            pairs.append(Pair(folder, person, cloth, folder.name))
        sources.append(source)
    name = str(sources[0]) if len(sources) == 1 else f"{root}/*/{sources[0].name}"
    return Listing(DRESSCODE, pairs, name)


def guessed_category(mask: Path) -> str:
    """The category that the outline of a garment's mask suggests."""
    from ..garment import guess_category

    with Image.open(mask) as image:
        values = np.asarray(image.convert("L"))
    return guess_category(values > 127) if values.max() > 127 else "upper_body"
