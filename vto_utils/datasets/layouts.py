"""Folders of files, one set per person and one per garment: how each layout names them, and reading them.

======================  ==========================================================================================
VITON-HD                ``ROOT/SPLIT_pairs.txt``, ``ROOT/SPLIT/image cloth cloth-mask image-parse-v3 openpose_json``;
                        the demo set writes ``image-parse`` and ``openpose-json``; CIHP-20 ids, BODY_25 points
VITON                   as CP-VTON has it: ``image cloth cloth-mask image-parse pose``; CP-VTON+ adds
                        ``image-parse-new``, which knows the neck; LIP ids, COCO-18 points
DressCode               ``ROOT/CATEGORY/images keypoints label_maps``, ``masks`` where there are any; ATR ids
======================  ==========================================================================================

In a line of a pairs file the person stands first and the garment second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .reading import garment_mask, read_dresscode_points, read_labels, read_mask, read_openpose, read_picture
from .sample import Sample, on_white, visible_garment


class Pair(NamedTuple):
    """One line of a pairs file."""

    folder: Path  # of the split or category
    person: str  # file name
    cloth: str  # file name
    category: str


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps what; ``{name}`` is the photo's file name, ``{stem}`` that without ending, ``{number}``
    what stands before its last ``_``.

    Attributes:
        name: of the layout.
        labels: scheme of the label maps' ids.
        files: kind of file -> possible places, the preferred one first. Kinds: image, parse, pose, cloth,
            cloth_mask, agnostic_mask.
        may_lack: kinds that are done without where they are missing.
    """

    name: str
    labels: str
    files: Mapping[str, tuple[str, ...]]
    may_lack: tuple[str, ...] = ()


VITON_HD = Layout(
    "VITON-HD",
    "cihp",
    {
        "image": ("image/{name}",),
        "parse": ("image-parse-v3/{stem}.png", "image-parse/{stem}.png"),
        "pose": ("openpose_json/{stem}_keypoints.json", "openpose-json/{stem}_keypoints.json"),
        "cloth": ("cloth/{name}",),
        "cloth_mask": ("cloth-mask/{name}", "cloth-mask/{stem}.png"),
        "agnostic_mask": ("agnostic-mask/{stem}_mask.png",),
    },
)
VITON = Layout(
    "VITON",
    "lip",
    {
        "image": ("image/{name}",),
        "parse": ("image-parse-new/{stem}.png", "image-parse/{stem}.png"),
        "pose": ("pose/{stem}_keypoints.json",),
        "cloth": ("cloth/{name}",),
        "cloth_mask": ("cloth-mask/{name}", "cloth-mask/{stem}.png"),
        "agnostic_mask": ("agnostic-mask/{stem}_mask.png",),
    },
)
DRESSCODE = Layout(
    "DressCode",
    "atr",
    {
        "image": ("images/{name}",),
        "parse": ("label_maps/{number}_4.png",),
        "pose": ("keypoints/{number}_2.json",),
        "cloth": ("images/{name}",),
        "cloth_mask": ("masks/{stem}.png",),
        "agnostic_mask": ("agnostic_masks/{stem}.png",),
    },
    may_lack=("cloth_mask",),
)

_OF_CLOTH = ("cloth", "cloth_mask")


def place(template: str, kind: str, pair: Pair) -> str:
    """The path of a file within the pair's folder."""
    name = pair.cloth if kind in _OF_CLOTH else pair.person
    stem = name.rpartition(".")[0] or name
    return template.format(name=name, stem=stem, number=stem.rpartition("_")[0] or stem)


class PairedFolder:
    """Samples from files.

    Args:
        layout: with one place per kind (:func:`.checks.settled`).
        pairs: who wears what.
        size: (height, width) of everything that is read.
        paired: the person's photo shows the very garment; otherwise the result is not known.
        agnostic: ``computed`` from labels and key points, or ``files``.

    Attributes:
        plain_labels: the values in label maps are ids, whatever their palette is: these are read faster.
    """

    def __init__(
        self, layout: Layout, pairs: list[Pair], size: tuple[int, int], paired: bool = True, agnostic: str = "computed"
    ) -> None:
        self.layout, self.pairs, self.size, self.paired, self.agnostic = layout, pairs, tuple(size), paired, agnostic
        self.plain_labels = True

    def __len__(self) -> int:
        return len(self.pairs)

    def path(self, kind: str, pair: Pair) -> Path | None:
        """The file of a pair; None for a kind that this data set does without."""
        places = self.layout.files[kind]
        return pair.folder / place(places[0], kind, pair) if places else None

    def read(self, number: int, rng: np.random.Generator | None = None) -> Sample:
        """The sample of a pair; nothing is drawn.

        Raises:
            InputError: a file is missing or cannot be used; the sentence names it.
        """
        pair, size = self.pairs[number], self.size
        person, photo = read_picture(self.path("image", pair), size)
        parse = read_labels(self.path("parse", pair), size, self.layout.labels, photo, self.plain_labels)
        read_points = read_dresscode_points if self.layout.name == DRESSCODE.name else read_openpose
        points = read_points(self.path("pose", pair), photo, size)
        cloth, _ = read_picture(self.path("cloth", pair), size)
        mask_path = self.path("cloth_mask", pair)
        mask = garment_mask(cloth) if mask_path is None else read_mask(mask_path, size)
        if not mask.any():
            where = f"{mask_path} is empty" if mask_path else f"{self.path('cloth', pair)} shows no garment"
            raise InputError(f"{where}: make the mask again, or remove the pairs of {pair.cloth}.")
        sample = Sample(
            pair.person.rpartition(".")[0] or pair.person, pair.cloth.rpartition(".")[0] or pair.cloth,
            self.layout.name, pair.category, person, parse, points, on_white(cloth, mask), mask,
        )  # fmt: skip
        if self.agnostic == "files":
            sample = replace(sample, agnostic_mask=read_mask(self.path("agnostic_mask", pair), size) > 127)
        if not self.paired:
            return replace(sample, swapped=True)
        return replace(sample, target=person, target_parse=parse, target_garment=visible_garment(parse, pair.category))
