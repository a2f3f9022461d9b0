"""What is wrong with a data set, said when it is opened: which files are missing, which cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..label_maps import check_label_maps
from .layouts import Layout, Pair, PairedFolder, place

_NAMED = 3  # first names told
_KINDS = {
    "image": "the person's photo",
    "parse": "the label map",
    "pose": "the key points",
    "cloth": "the garment's photo",
    "cloth_mask": "the garment's mask",
    "agnostic_mask": "the agnostic mask",
}


@dataclass(frozen=True)
class Listing:
    """The pairs of a data set and where they come from.

    Attributes:
        layout: of the files.
        pairs: as listed.
        source: the pairs file, or what to call it.
    """

    layout: Layout
    pairs: list[Pair]
    source: str


def settled(listing: Listing, agnostic: str, incomplete: str) -> tuple[Listing, int]:
    """The listing with one place per kind of file and only pairs whose files exist.

    Every folder is listed once, so that tens of thousands of pairs on a network drive take seconds. File names
    are compared exactly.

    Args:
        listing: what should be there.
        agnostic: ``files`` if the agnostic masks are wanted too, otherwise ``computed``.
        incomplete: ``refuse``, or ``skip`` the pairs that lack a file.

    Returns:
        the listing, and the number of pairs that were skipped.

    Raises:
        InputError: pairs lack files (one sentence: how many, which), or none is left.
    """
    folders, files, lacking = _Folders(), {}, {}
    for kind, candidates in listing.layout.files.items():
        if kind == "agnostic_mask" and agnostic != "files":
            files[kind] = ()
            continue
        found = {template: _missing(listing.pairs, kind, template, folders) for template in candidates}
        best = min(found, key=lambda template: len(found[template]))
        if found[best] and kind in listing.layout.may_lack:
            files[kind] = ()
            continue
        files[kind] = (best,)
        if found[best]:
            lacking[kind] = best, found[best]
    layout = replace(listing.layout, files=files)
    if not lacking:
        return replace(listing, layout=layout), 0
    incomplete_pairs = {number for _, numbers in lacking.values() for number in numbers}
    if incomplete == "refuse" or len(incomplete_pairs) == len(listing.pairs):
        raise InputError(_lack(listing, lacking))
    kept = [pair for number, pair in enumerate(listing.pairs) if number not in incomplete_pairs]
    return replace(listing, layout=layout, pairs=kept), len(incomplete_pairs)


class _Folders:
    """The names in folders, each listed once."""

    def __init__(self) -> None:
        self._names: dict[tuple[Path, str], frozenset[str]] = {}

    def names(self, folder: Path, below: str) -> frozenset[str]:
        if (folder, below) not in self._names:
            try:
                self._names[folder, below] = frozenset(os.listdir(folder / below))
            except OSError:
                self._names[folder, below] = frozenset()
        return self._names[folder, below]


def _missing(pairs: Sequence[Pair], kind: str, template: str, folders: _Folders) -> list[int]:
    """Numbers of the pairs without that file."""
    below, _, name = template.rpartition("/")
    return [
        number for number, pair in enumerate(pairs) if place(name, kind, pair) not in folders.names(pair.folder, below)
    ]


def _lack(listing: Listing, lacking: dict[str, tuple[str, list[int]]]) -> str:
    """The sentence about the kind of file that most pairs lack, and a word on the others."""
    kind = max(lacking, key=lambda name: len(lacking[name][1]))
    template, numbers = lacking[kind]
    pairs = [listing.pairs[number] for number in numbers]
    names = named(Path(place(template, kind, pair)).name for pair in pairs)
    others = [f"{len(found)} {Path(where).parent}" for name, (where, found) in lacking.items() if name != kind]
    also = f" (also missing: {', '.join(others)})" if others else ""
    if kind in ("image", "cloth"):
        advice = "copy them there, or remove the pairs"
    else:
        persons, cloths = (pairs[0].folder / Path(listing.layout.files[of][0]).parent for of in ("image", "cloth"))
        advice = (
            f"make them with `python -m vto_utils preprocess --persons {persons} --cloths {cloths} --out NEW_FOLDER`, "
            "or remove the pairs"
        )
    return (
        f"{len(numbers)} of {len(listing.pairs)} pairs of {listing.source} lack {Path(template).parent} "
        f"({_KINDS[kind]}): {names}{also}: {advice}."
    )


def named(names: Iterable[str]) -> str:
    """The first few different names, and dots for more."""
    different = list(dict.fromkeys(names))
    return ", ".join([*different[:_NAMED], *["..."][: len(different) - _NAMED > 0]])


def looked_at(source: PairedFolder) -> None:
    """Read a few samples whole, so that files in a wrong form are noticed before training begins.

    Where a palette gives the values of these label maps another meaning, all are read with their palettes.

    Raises:
        InputError: what is wrong with the first one, in one sentence.
    """
    few = sorted({0, len(source) // 2, len(source) - 1})
    maps = [source.path("parse", source.pairs[number]) for number in few]
    scheme = "auto" if source.layout.labels == "cihp" else source.layout.labels
    problems = check_label_maps(list(dict.fromkeys(maps)), scheme=scheme)
    if problems:
        where = f"In {maps[0].parent}, " if len(problems[0].names) > 1 else ""  # of one map the path is told
        raise InputError(f"{where}{problems[0]}")
    for number in few:
        plain = source.read(number).parse
        source.plain_labels = False
        source.plain_labels = np.array_equal(plain, source.read(number).parse)
        if not source.plain_labels:
            break
