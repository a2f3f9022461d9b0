"""Synthetic samples as tensors: read from a folder, or made on the fly where they are needed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from . import layout, records, storage

if TYPE_CHECKING:
    import torch

    from .samples import Generator, SynthConfig

_PICTURES = ("image", "cloth", "agnostic")
_LABELS = ("parse", "parse_agnostic", "parts", "side")


class SyntheticDataset:
    """A map-style data set for ``torch.utils.data.DataLoader``, with any number of loader workers.

    An item is a dict. What ends in ``_swap`` belongs to the same person in the other garment, and training may
    exchange it with what has no such ending. Sizes are (H, W) of the data set, the same for all:

    ==================================  ============  =======  ===========================================
    key                                 shape         dtype    values
    ==================================  ============  =======  ===========================================
    image, image_swap                   (3, H, W)     float32  RGB in [-1, 1]
    cloth, cloth_swap, agnostic         (3, H, W)     float32  RGB in [-1, 1]
    cloth_mask(_swap)                   (1, H, W)     float32  0 or 1
    garment_mask(_swap)                 (1, H, W)     float32  0 or 1, the garment where it is seen on the person
    agnostic_mask                       (1, H, W)     float32  0 or 1 = may be repainted
    person_mask                         (1, H, W)     float32  [0, 1], soft; of ``image``
    parse(_swap), parse_agnostic        (H, W)        int64    CIHP-20 ids
    flow(_swap)                         (2, H, W)     float32  x, y in the cloth, absolute, 0 where not valid; for
                                                               ``grid_sample(align_corners=False)``
    valid(_swap)                        (1, H, W)     float32  1 where the cloth shows that very spot
    side(_swap)                         (H, W)        int64    0 no garment, 1 front, 2 back panel
    parts                               (H, W)        int64    DensePose's part ids of the body, 0 background
    part_uv                             (2, H, W)     float32  the body's texture coordinates in [0, 1]
    depth                               (1, H, W)     float32  decimetres from the camera, 0 background; of ``image``
    normal                              (3, H, W)     float32  unit vectors x right, y up, z to the camera; of ``image``
    keypoints                           (18, 3)       float32  COCO-18: x, y in pixels; 1 seen, 0.5 hidden, 0 outside
    index, name, category, split                      int, str
    ==================================  ============  =======  ===========================================

    Args:
        source: folder of a data set that ``write_dataset`` or ``python -m vto_utils synth`` made.
        split: ``train`` or ``test``.
        fields: the keys that are wanted, index, name, category and split aside; fewer are read faster. All if
            not given.
        transform: called with each item; what it gives is the item.

    Raises:
        InputError: the folder is no data set or has no sample of the split, or a name is unknown.
    """

    def __init__(
        self,
        source: str | os.PathLike,
        split: str = "train",
        *,
        fields: Iterable[str] | None = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        folder = Path(source).expanduser()
        records.read_dataset(folder)
        if split not in layout.SPLITS:
            raise InputError(f"There is no split called '{split}': use {' or '.join(layout.SPLITS)}.")
        indices = records.finished_samples(folder / split)
        if not indices:
            raise InputError(f"There is no sample of the split '{split}' in {folder}: make more samples.")
        self._take(_Folder(folder / split, indices), fields, transform)

    @classmethod
    def from_config(
        cls,
        config: SynthConfig,
        length: int,
        split: str | None = "train",
        *,
        fields: Iterable[str] | None = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        generator: Callable[[SynthConfig], Generator] | None = None,
    ) -> SyntheticDataset:
        """A data set whose samples are made when they are asked for, always the same ones.

        Each process that asks makes its own generator once, so give the data loader workers, and let them live
        (``persistent_workers=True``).

        Args:
            config: what to make.
            length: number of samples.
            split: ``train`` or ``test`` makes samples of that split only; None makes both kinds, as a folder of
                the same configuration has them, sample by sample.
            fields, transform: as above.
            generator: makes what ``samples.Generator`` makes; must be importable.

        Raises:
            InputError: the size or the length cannot be used, or a name is unknown.
        """
        storage.check_size(config.size)
        if length < 1:
            raise InputError(f"The length {length} cannot be used: ask for 1 sample or more.")
        if split not in (*layout.SPLITS, None):
            raise InputError(f"There is no split called '{split}': use {' or '.join(layout.SPLITS)}.")
        if split is not None:
            config = replace(config, held_out=float(split == "test"))
        dataset = cls.__new__(cls)
        dataset._take(_OnTheFly(config, length, generator), fields, transform)
        return dataset

    def _take(self, source: Any, fields: Iterable[str] | None, transform: Callable | None) -> None:
        self._source, self.transform = source, transform
        self.fields = tuple(layout.FIELDS if fields is None else fields)
        unknown = sorted(set(self.fields).difference(layout.FIELDS))
        if unknown:
            raise InputError(f"There is no field called '{unknown[0]}': use some of {', '.join(layout.FIELDS)}.")

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, position: int) -> Any:
        arrays, facts = self._source.read(range(len(self))[position], self.fields)
        item = {name: _tensor(name.removesuffix("_swap"), arrays[name]) for name in self.fields} | facts
        return item if self.transform is None else self.transform(item)


class _Folder:
    """Samples that are files."""

    def __init__(self, folder: Path, indices: list[int]) -> None:
        self.folder, self.indices = folder, np.array(indices)  # an array is shared by forked loader workers

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, position: int, fields: tuple[str, ...]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        index = int(self.indices[position])
        try:
            record = records.read_record(self.folder, index)
            arrays = layout.decode(self.folder, index, fields)
            arrays["keypoints"] = np.array(record["keypoints"], np.float32)
            return arrays, {key: record[key] for key in ("index", "name", "category", "split")}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"Sample {index} in {self.folder} cannot be read ({error}): remove its file "
                f"{layout.RECORD.format(layout.names(index)[0])} and make the data set again, which mends it."
            ) from error


class _OnTheFly:
    """Samples that are made when they are asked for."""

    def __init__(self, config: SynthConfig, length: int, generator: Callable[[SynthConfig], Generator] | None) -> None:
        self.config, self.length, self.make = config, length, generator
        self.generator: Generator | None = None

    def __len__(self) -> int:
        return self.length

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"generator": None}  # a loader worker makes its own

    def read(self, position: int, fields: tuple[str, ...]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        if self.generator is None:
            make = self.make
            if make is None:
                from .samples import Generator as make
            _single_thread_in_loader_worker()
            self.generator = make(self.config)
        sample = self.generator.sample(position)
        facts = {"index": position, "name": layout.names(position)[0]}
        return layout.fields_of(sample), facts | {"category": sample.category, "split": sample.split}


def _single_thread_in_loader_worker() -> None:
    from torch.utils.data import get_worker_info

    if get_worker_info() is not None:
        from .workers import one_thread

        one_thread()  # torch does the same for itself


def _tensor(name: str, array: np.ndarray) -> torch.Tensor:
    """One field as a tensor; ``name`` without ``_swap``."""
    import torch

    if name in _PICTURES:
        return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1))).float() / 127.5 - 1
    if name in _LABELS:
        return torch.from_numpy(array.astype(np.int64))
    if name.endswith("_mask"):
        values = array.astype(np.float32)
        return torch.from_numpy(values if array.dtype == bool else values / 255)[None]
    values = torch.from_numpy(np.array(array, np.float32, order="C"))
    return values[None] if name in ("valid", "depth") else values
