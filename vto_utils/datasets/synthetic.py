"""Synthetic samples as items: one person in one pose in two outfits, with the true flow.

No real data set has the same photo with another garment. Here the person wears A, and the garment to be tried on
and the target are B; or, as in real data sets, B is A itself. Which of both, and which of the two outfits is A, is
drawn for each item of each epoch.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..synth import layout, records
from .motion import Fit
from .reading import read_mask, read_picture
from .sample import Sample, on_white

if TYPE_CHECKING:
    from ..synth.samples import SynthConfig

NAME = "synthetic"
_PLACES = {field: path for path, fields in layout.FILES.items() for field in fields}


class SyntheticFolder:
    """Samples of a folder that ``python -m vto_utils synth`` made.

    Args:
        root: the folder.
        split: ``train`` or ``test``.
        size: (height, width) of everything that is read.
        swap: share of items, in [0, 1], in which the garment is changed; the others show the garment worn.
        exchange: the second outfit may be the one worn.
        agnostic: ``computed`` from the labels of the outfit worn, or ``files``, which leave room for both outfits.
        categories: only samples of these; all if None.

    Raises:
        InputError: the folder is no data set or has no such sample.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        size: tuple[int, int],
        swap: float = 1.0,
        exchange: bool = True,
        agnostic: str = "computed",
        categories: tuple[str, ...] | None = None,
    ) -> None:
        facts = records.read_dataset(root)
        self.folder, self.size, self.own = root / split, tuple(size), tuple(facts["size"])
        self.swap, self.exchange, self.agnostic = swap, exchange, agnostic
        indices = records.finished_samples(self.folder)
        if categories is not None and indices:
            if facts.get("category") in layout.labels.CATEGORIES:
                indices = indices if facts["category"] in categories else []
            else:
                kept = (records.read_record(self.folder, index)["category"] in categories for index in indices)
                indices = [index for index, keep in zip(indices, kept, strict=True) if keep]
        if not indices:
            which = "" if categories is None else f" of {', '.join(categories)}"
            raise InputError(f"There is no sample{which} of the split '{split}' in {root}: make more samples.")
        self.indices = np.array(indices)  # an array is shared by forked loader workers

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, number: int, rng: np.random.Generator) -> Sample:
        """The sample of this number; ``rng`` draws the outfits.

        Raises:
            InputError: a file is missing or damaged; the sentence names it.
        """
        index = int(self.indices[number])
        worn, tried = _outfits(rng, self.swap, self.exchange)
        try:
            record = records.read_record(self.folder, index)
            named = [f"{name}{tried}" for name in ("flow", "valid", "garment_mask")]
            maps = layout.decode(self.folder, index, {*named, f"parse{worn}", f"parse{tried}"})
            maps["keypoints"] = np.array(record["keypoints"], np.float32)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"Sample {index} in {self.folder} cannot be read ({error}): remove its file "
                f"{layout.RECORD.format(layout.names(index)[0])} and make the data set again, which mends it."
            ) from error
        pictures = {name: self._picture(index, name) for name in {f"image{worn}", f"image{tried}", f"cloth{tried}"}}
        mask = read_mask(self._path(index, f"cloth_mask{tried}"), self.size)
        in_file = self.agnostic == "files"
        region = read_mask(self._path(index, "agnostic_mask"), self.size) > 127 if in_file else None
        return _sample(record, index, worn, tried, maps, pictures, mask, region, Fit(self.own, self.size))

    def _path(self, index: int, field: str) -> Path:
        return self.folder / _PLACES[field].format(*layout.names(index))

    def _picture(self, index: int, field: str) -> np.ndarray:
        return read_picture(self._path(index, field), self.size)[0]


class SyntheticStream:
    """Samples that are made when they are asked for, in their final size.

    Args:
        config: what to make; its ``size`` is that of the samples.
        length: number of samples.
        split: ``train`` or ``test``.
        swap, exchange, agnostic: as in :class:`SyntheticFolder`.
        generator: makes what ``synth.samples.Generator`` makes.
    """

    def __init__(
        self,
        config: SynthConfig,
        length: int,
        split: str,
        swap: float = 1.0,
        exchange: bool = True,
        agnostic: str = "computed",
        generator: Any = None,
    ) -> None:
        from ..synth.dataset import SyntheticDataset

        base = ("image", "cloth", "cloth_mask", "parse", "flow", "valid", "garment_mask")
        fields = (*base, *(f"{name}_swap" for name in base), "keypoints", "agnostic_mask")
        self.made = SyntheticDataset.from_config(config, length, split, fields=fields, generator=generator)
        self.size, self.swap, self.exchange, self.agnostic = tuple(config.size), swap, exchange, agnostic

    def __len__(self) -> int:
        return len(self.made)

    def read(self, number: int, rng: np.random.Generator) -> Sample:
        """As :meth:`SyntheticFolder.read`."""
        worn, tried = _outfits(rng, self.swap, self.exchange)
        item = self.made[number]
        pictures = {f"image{x}": _bytes(item[f"image{x}"]) for x in {worn, tried}}
        pictures |= {f"cloth{tried}": _bytes(item[f"cloth{tried}"])}
        maps = {f"parse{x}": item[f"parse{x}"].numpy().astype(np.uint8) for x in {worn, tried}}
        maps[f"flow{tried}"] = item[f"flow{tried}"].numpy()
        maps |= {f"{x}{tried}": item[f"{x}{tried}"][0].numpy() > 0.5 for x in ("valid", "garment_mask")}
        maps["keypoints"] = item["keypoints"].numpy()
        mask = (item[f"cloth_mask{tried}"][0].numpy() * 255).astype(np.uint8)
        region = item["agnostic_mask"][0].numpy() > 0.5 if self.agnostic == "files" else None
        facts = {"category": item["category"]}
        return _sample(facts, item["index"], worn, tried, maps, pictures, mask, region, Fit(self.size, self.size))


def _bytes(picture) -> np.ndarray:
    return ((picture + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy()


def _outfits(rng: np.random.Generator, swap: float, exchange: bool) -> tuple[str, str]:
    """The endings of the fields of the outfit worn and of the one tried on."""
    changes, second = rng.random() < swap, rng.random() < 0.5
    first, other = ("_swap", "") if exchange and second else ("", "_swap")
    return first, other if changes else first


def _sample(
    facts: dict[str, Any],
    index: int,
    worn: str,
    tried: str,
    maps: dict[str, np.ndarray],
    pictures: dict[str, np.ndarray],
    mask: np.ndarray,
    region: np.ndarray | None,
    fit: Fit,
) -> Sample:
    """The sample of two outfits; ``maps`` are of the data set's own size, all else is fitted already."""
    flow, valid = fit.flow(maps[f"flow{tried}"].transpose(1, 2, 0).astype(np.float32), maps[f"valid{tried}"] > 0)
    first, second = layout.names(index)
    return replace(
        Sample(
            first, second if tried else first, NAME, facts["category"], pictures[f"image{worn}"],
            fit.labels(maps[f"parse{worn}"]), fit.points(maps["keypoints"]),
            on_white(pictures[f"cloth{tried}"], mask), mask,
        ),
        target=pictures[f"image{tried}"],
        target_parse=fit.labels(maps[f"parse{tried}"]),
        target_garment=fit.labels(maps[f"garment_mask{tried}"] > 0),
        flow=flow,
        flow_valid=valid,
        agnostic_mask=region,
        swapped=worn != tried,
        places_known=True,
    )  # fmt: skip
