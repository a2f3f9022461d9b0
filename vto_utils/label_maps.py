"""Label maps of human parsing as people have them: read exactly, or refused with one sentence that says why.

A label map holds one id per pixel. What reaches a program under that name is often a coloured picture of one, a
JPEG, a mask, a resized copy with ids mixed at every edge, or a map in another scheme. Where the ids can be had
back exactly they are; nothing is guessed.

``python -m vto_utils.label_maps FILE...`` says of each file what it holds or what is wrong with it, and writes it
as VITON-HD has it with ``--out``.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, OutputError, VTOError
from .images import save_image
from .label_decoding import HIGHEST, LabelMapError, decode_ids, load_map
from .label_schemes import SCHEMES, find_scheme, guess_scheme, to_cihp
from .labels import to_palette_image

_LISTED = 3  # names told before "..."
# Share of the pixels between two ids that hold a third one between both. Nearest-neighbour copies of real maps have
# at most 0.04 of it at 128x96 and less when larger; bilinear ones 0.08 to 0.35.
_MIXED = 0.08


@dataclass(frozen=True)
class LabelMapProblem:
    """One kind of trouble among many label maps; ``str`` of it is one sentence.

    Attributes:
        names: file names of the maps that have it.
        total: of maps that were looked at.
        many: what is wrong with them.
        remedy: what to do.
        first: the sentence about the first of them, with its figures.
    """

    names: tuple[str, ...]
    total: int
    many: str
    remedy: str
    first: str

    def __str__(self) -> str:
        if len(self.names) == 1:
            return self.first
        names = ", ".join((*self.names[:_LISTED], *["..."][: len(self.names) - _LISTED > 0]))
        return f"{len(self.names)} of {self.total} label maps {self.many} ({names}): {self.remedy}."


def read_label_map(
    source: Any, size: tuple[int, int] | None = None, scheme: str = "auto", name: str | None = None
) -> np.ndarray:
    """Read a label map, whatever it is kept in, as CIHP-20 ids.

    Taken as they are: grey and palette pictures of ids, 16-bit and float ones, ``.npy`` and ``.npz`` with one
    array, one channel per id first or last (the highest wins). Decoded: pictures in the colours of PASCAL VOC
    (as SCHP writes), VITON-HD or CIHP, and palette files with these colours at other places.

    Args:
        source: a path, a ``PIL.Image``, or an array [H, W], [H, W, C], [C, H, W] or [H, W, 3] of colours (RGB).
        size: (height, width) of the photo it belongs to.
        scheme: what its ids mean, a name in :data:`vto_utils.label_schemes.SCHEMES`; the map is converted
            (:func:`vto_utils.label_schemes.to_cihp`). ``auto`` takes them for CIHP-20 and refuses a map that
            plainly follows another scheme; that LIP's 10 means jumpsuits cannot be seen.
        name: what to call it in messages; the path where there is one.

    Returns:
        (H, W) uint8 CIHP-20 ids as in VITON-HD.

    Raises:
        LabelMapError: one sentence that names the map, what is wrong with it and what to do.
        InputError: a file that cannot be read at all, or an unknown scheme.
    """
    if scheme != "auto":
        find_scheme(scheme)
    is_path = isinstance(source, (str, os.PathLike))
    name = name or (str(source) if is_path else "The given label map")
    ids, told = decode_ids(load_map(Path(source).expanduser(), name) if is_path else source, name)
    if size is not None and ids.shape != tuple(size):
        raise _wrong_size(name, ids.shape, tuple(size))
    _check_values(name, ids, scheme)
    labels = ids.astype(np.uint8)
    _check_edges(name, labels)
    if scheme != "auto":
        return to_cihp(labels, scheme)
    guess = told or guess_scheme(labels)
    if guess not in (None, "cihp"):
        title, sign = SCHEMES[guess].title, SCHEMES[guess].sign
        raise LabelMapError(
            name,
            f"looks like {title}, in which {sign}",
            f"look like {title}, in which {sign}",
            f'read with scheme="{guess}", which converts as label_schemes.to_cihp does, or convert the files with '
            f"python -m vto_utils.label_maps FILE ... --scheme {guess} --out DIR",
        )
    return labels


def check_label_maps(
    paths: Sequence[str | os.PathLike],
    sizes: Sequence[tuple[int, int] | None] | None = None,
    scheme: str = "auto",
) -> list[LabelMapProblem]:
    """Read many label maps and gather what is wrong with them, the most frequent first.

    Args:
        paths: files, as in :func:`read_label_map`.
        sizes: (height, width) of each map's photo, in the order of ``paths``.
        scheme: as in :func:`read_label_map`.

    Returns:
        One problem per kind, empty when all maps can be used.

    Raises:
        InputError: unknown scheme, or as many sizes as paths are not given.
    """
    if scheme != "auto":
        find_scheme(scheme)
    if sizes is not None and len(sizes) != len(paths):
        raise InputError(f"There are {len(paths)} label maps but {len(sizes)} sizes: give one size for each.")
    groups: dict[tuple[str, str], tuple[list[str], str]] = {}
    for path, size in zip(paths, sizes or [None] * len(paths), strict=True):
        try:
            read_label_map(path, size, scheme)
        except InputError as error:
            kind = ("cannot be read", "check the names, or copy or make them again")
            if isinstance(error, LabelMapError):
                kind = (error.many, error.remedy)
            groups.setdefault(kind, ([], str(error)))[0].append(Path(path).name)
    problems = [LabelMapProblem(tuple(names), len(paths), *kind, first) for kind, (names, first) in groups.items()]
    return sorted(problems, key=lambda problem: -len(problem.names))


# Checks ---------------------------------------------------------------------------------------------


def _wrong_size(name: str, found: tuple[int, ...], wanted: tuple[int, int]) -> LabelMapError:
    one = f"is {found[0]} high and {found[1]} wide, but its photo {wanted[0]} high and {wanted[1]} wide"
    if found[::-1] == wanted:
        many, remedy = "are turned: height and width are exchanged", "turn by 90 degrees, or check the order of sizes"
        return LabelMapError(name, f"{one} (height and width are exchanged)", many, remedy)
    if abs(found[0] / found[1] * wanted[1] / wanted[0] - 1) < 0.02:
        remedy = "resize label maps with the nearest neighbour (Image.Resampling.NEAREST), which mixes no ids"
        return LabelMapError(name, one, "are not as large as their photos", remedy)
    many, remedy = "have another shape than their photos", "parse the photo itself, or crop both in the same way"
    return LabelMapError(name, one, many, remedy)


def _check_values(name: str, ids: np.ndarray, scheme: str) -> None:
    """Raise where the values are not the ids of a person in that scheme."""
    values = [int(value) for value in np.unique(ids)]
    again = "parse the photo again, or leave it out"
    if values == [0]:
        raise LabelMapError(name, "is empty: every pixel is background (0)", "are empty: all background (0)", again)
    if len(values) == 1:
        one = f"holds {values[0]} everywhere"
        raise LabelMapError(name, one, "hold one id everywhere", again)
    if values in ([0, 1], [0, 255], [0, 65535]):
        raise LabelMapError(
            name,
            f"is a mask (only 0 and {values[1]}), not a map of body parts and clothes",
            "are masks (only two values), not maps of body parts and clothes",
            "give the parser's label map",
        )
    table = SCHEMES["lip" if scheme == "auto" else scheme]
    bad = [value for value in values if value not in table.to_cihp and value not in table.joins]
    if not bad:
        return
    remedy = "save the ids themselves, 0 to 19, without scaling them for the eye"
    step = math.gcd(*values)
    if step > 1 and values[0] >= 0 and values[-1] <= step * HIGHEST:
        one, many = f"holds ids times {step} (up to {values[-1]})", f"hold ids times {step}"
        raise LabelMapError(name, one, many, f"divide by {step}, or {remedy}")
    if any(set(values) <= _spread(count) for count in range(11, HIGHEST + 1)):
        one, many = f"holds ids spread over 0 to {values[-1]} for the eye", "hold ids spread over 0 to 255 for the eye"
        raise LabelMapError(name, one, many, remedy)
    if bad == [255]:
        one, many = "holds 255, which some data sets put where nothing is known", "hold 255, where nothing is known"
        raise LabelMapError(name, one, many, "set those pixels to 0")
    if len(values) > 64:
        one, many = f"holds {len(values)} different values, as a grey picture does", "are grey pictures, not ids"
        raise LabelMapError(name, one, many, "give the parser's label map as PNG")
    title = "CIHP-20" if scheme == "auto" else table.title
    numbers = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
    one, many = f"holds {numbers}, which {title} does not have", f"hold ids that {title} does not have"
    raise LabelMapError(name, one, many, f"name their scheme ({', '.join(SCHEMES)}), or parse the photo again")


def _spread(count: int) -> set[int]:
    """The grey values when ids 0 to ``count`` are stretched to 0..255, rounded either way."""
    return {value for k in range(count + 1) for value in (k * 255 // count, round(k * 255 / count))}


def _check_edges(name: str, labels: np.ndarray) -> None:
    """Raise where ids were mixed with their neighbours', as bilinear resizing does: 0 beside 13 gives 6, a dress."""
    mixed = edges = 0
    for a in (labels, labels.T):
        before, middle, after = a[:-2], a[1:-1], a[2:]
        edges += int((before != after).sum())
        mixed += int(((np.minimum(before, after) < middle) & (middle < np.maximum(before, after))).sum())
    if edges >= 64 and mixed > _MIXED * edges:
        raise LabelMapError(
            name,
            "has ids at its edges that are mixed from those on both sides",
            "have ids at their edges that are mixed from those on both sides",
            "resize label maps with the nearest neighbour (Image.Resampling.NEAREST) and keep them out of JPEG",
        )


# Command --------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what each file holds or what is wrong with it; exit code 2 when something is."""
    parser = argparse.ArgumentParser(
        prog="python -m vto_utils.label_maps", description="Check label maps of human parsing, and convert them."
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="PNG, or .npy and .npz of one array")
    parser.add_argument(
        "--scheme", choices=("auto", *SCHEMES), default="auto",
        help="what the ids mean (default: auto, CIHP-20 unless it is plainly another)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", help="write each as a palette PNG of CIHP-20 ids into this folder")
    options = parser.parse_args(arguments)
    wrong = 0
    for file in options.files:
        try:
            labels = read_label_map(file, scheme=options.scheme)
            if options.out:
                target = Path(options.out) / f"{Path(file).stem}.png"
                if target.exists():  # it may be one of the files that are read
                    raise OutputError(f"{target} exists already: choose another folder.")
                save_image(to_palette_image(labels), target)
            held = " ".join(str(number) for number in np.unique(labels))
            print(f"{file}: {labels.shape[0]}x{labels.shape[1]} (height x width), CIHP-20 ids {held}")
        except VTOError as error:
            wrong += 1
            print(error, file=sys.stderr)
    return 2 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
