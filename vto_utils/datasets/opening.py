"""Opening a data set: recognise its layout, check it, and say in one sentence what was found or is wrong.

>>> dataset = open_dataset("data/zalando-hd-resized", "train", size=(256, 192))
>>> print(dataset)
VITON-HD in data/zalando-hd-resized: 11647 pairs of train_pairs.txt, paired, agnostic masks computed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from . import checks, listings
from .dataset import JoinedDataset, TryOnDataset
from .folders import list_folders
from .layouts import VITON, VITON_HD, PairedFolder
from .options import OpenOptions, check_name
from .recognition import FOLDERS, recognise
from .sample import CATEGORIES
from .synthetic import NAME, SyntheticFolder, SyntheticStream

if TYPE_CHECKING:
    from ..synth.samples import SynthConfig
    from .augmentation import Augmentation

_SMALLEST = 16  # pixels; below it there is nothing to see


def open_dataset(
    source: str | os.PathLike | SynthConfig | Sequence[Any],
    split: str = "train",
    size: tuple[int, int] = (256, 192),
    augmentation: Augmentation | None = None,
    seed: int = 0,
    **options: Any,
) -> TryOnDataset | JoinedDataset:
    """Open a data set of any known layout.

    That every file is there is checked for all pairs, the contents of a few; the others are checked when they are
    read.

    Args:
        source: a folder; a ``synth.samples.SynthConfig``, whose samples are made when they are asked for, in
            ``size``; or several of these, joined.
        split: ``train`` or ``test``.
        size: (height, width) of all items.
        augmentation: for training.
        seed: of all that is drawn.
        options: fields of :class:`.options.OpenOptions`.

    Raises:
        InputError: one sentence: what is wrong with which files, and what to do.
    """
    return _opened(source, split, tuple(size), augmentation, seed, OpenOptions(**options))


def _opened(
    source: Any,
    split: str,
    size: tuple[int, int],
    augmentation: Augmentation | None,
    seed: int,
    options: OpenOptions,
) -> TryOnDataset | JoinedDataset:
    if min(size) < _SMALLEST:
        raise InputError(
            f"The size {size[0]}x{size[1]} cannot be used: give height and width, {_SMALLEST} pixels or more."
        )
    if isinstance(source, (list, tuple)):
        return JoinedDataset([_opened(one, split, size, augmentation, seed, options) for one in source])
    if not isinstance(source, (str, os.PathLike)):
        read, note = _stream(source, split, size, options)
        return TryOnDataset(read, augmentation, seed, NAME, note)
    root = Path(source).expanduser()
    name = recognise(root, split) if options.layout == "auto" else options.layout
    read, note = (
        _synthetic(root, split, size, options) if name == NAME else _paired_folder(name, root, split, size, options)
    )
    return TryOnDataset(read, augmentation, seed, name, f"{name} in {root}: {note}")


def _drawn(split: str, options: OpenOptions) -> dict[str, Any]:
    check_name("split", split, ("train", "test"))
    return {
        "swap": options.swap if options.paired else 1.0,
        "exchange": split == "train" if options.exchange is None else options.exchange,
        "agnostic": options.agnostic,
    }


def _stream(config: Any, split: str, size: tuple[int, int], options: OpenOptions) -> tuple[SyntheticStream, str]:
    if options.length is None:
        raise InputError("Samples that are made on the fly have no end: give length=, the number of samples.")
    if options.categories is not None and options.categories != (config.category,):
        raise InputError("Samples that are made on the fly are of the configuration's category: set it there.")
    drawn = _drawn(split, options)
    read = SyntheticStream(replace(config, size=size), options.length, split, **drawn)
    return read, f"{NAME}: {len(read)} samples of the split {split} made on the fly, {_changed(drawn)}."


def _synthetic(root: Path, split: str, size: tuple[int, int], options: OpenOptions) -> tuple[SyntheticFolder, str]:
    drawn = _drawn(split, options)
    read = SyntheticFolder(root, split, size, categories=options.categories, **drawn)
    return read, f"{len(read)} samples of the split {split}, {_changed(drawn)}."


def _changed(drawn: dict[str, Any]) -> str:
    return f"the garment changed in {drawn['swap']:.0%} of them"


def _paired_folder(
    name: str, root: Path, split: str, size: tuple[int, int], options: OpenOptions
) -> tuple[PairedFolder, str]:
    if name == FOLDERS:
        cache = None if options.cache is None else Path(options.cache).expanduser()
        listing = list_folders(root, split, size, cache, options.incomplete, options.progress, options.tryon)
    elif name == VITON_HD.name:
        listing = listings.list_viton_hd(root, split, options.paired, options.incomplete)
    elif name == VITON.name:
        listing = listings.list_viton(root, split, options.paired)
    else:
        listing = listings.list_dresscode(root, split, options.paired, options.categories or CATEGORIES)
    if options.categories is not None:
        kept = [pair for pair in listing.pairs if pair.category in options.categories]
        if not kept:
            wanted = ", ".join(options.categories)
            raise InputError(f"None of the {len(listing.pairs)} pairs of {listing.source} is of {wanted}.")
        listing = replace(listing, pairs=kept)
    listing, skipped = checks.settled(listing, options.agnostic, options.incomplete)
    read = PairedFolder(listing.layout, listing.pairs, size, options.paired, options.agnostic)
    checks.looked_at(read)
    masks = "from files" if options.agnostic == "files" else "computed"
    note = f"{len(read)} pairs of {Path(listing.source).name}, {options.pairing}, agnostic masks {masks}"
    if not listing.layout.files["cloth_mask"]:
        note += ", garment masks made from the white background"
    return read, note + (f"; {skipped} incomplete pairs skipped." if skipped else ".")
