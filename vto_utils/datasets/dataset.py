"""Data sets for ``torch.utils.data.DataLoader``: what a source reads, augmented, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import InputError
from ..synth.workers import one_thread
from .sample import Sample, to_item

if TYPE_CHECKING:
    from .augmentation import Augmentation

Key = int | tuple[int, int]
_DRAWN = 1  # stream of random numbers that decides what a source draws


class Source(Protocol):
    """Where samples come from."""

    size: tuple[int, int]

    def __len__(self) -> int: ...

    def read(self, number: int, rng: np.random.Generator) -> Sample:
        """The sample of this number; what is left open is drawn from ``rng``."""
        ...


class TryOnDataset:
    """A map-style data set of the items that :mod:`.sample` describes.

    ``dataset[number]`` is the item in epoch 0, ``dataset[epoch, number]`` that of another epoch: another outfit of
    the synthetic person, another augmentation. An item depends on the seed, the epoch and the number alone, not on
    the order of asking or the number of loader workers. :class:`.order.BatchOrder` gives such pairs.

    Args:
        source: where samples come from.
        augmentation: for training; None leaves samples as they are.
        seed: of all that is drawn.
        description: one sentence that says what was opened.

    Attributes:
        layout: name of the layout, for messages.
    """

    def __init__(
        self,
        source: Source,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        layout: str = "",
        description: str = "",
    ) -> None:
        self.source, self.augmentation, self.seed = source, augmentation, seed
        self.layout, self.description = layout, description

    def __str__(self) -> str:
        return self.description

    def __len__(self) -> int:
        return len(self.source)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of all items."""
        return self.source.size

    def sample(self, key: Key) -> Sample:
        """The item before it becomes tensors.

        Raises:
            IndexError: no such number.
            InputError: its files cannot be read.
        """
        epoch, number = key if isinstance(key, tuple) else (0, key)
        number = range(len(self))[number]
        _single_thread_in_loader_worker()
        sample = self.source.read(number, np.random.default_rng([self.seed, _DRAWN, epoch, number]))
        if self.augmentation is not None:
            sample = self.augmentation(sample, number, epoch)
        return sample

    def __getitem__(self, key: Key) -> dict[str, Any]:
        return to_item(self.sample(key))


def _single_thread_in_loader_worker() -> None:
    """OpenCV's threads do not survive a fork, and loader workers share the processors as it is."""
    from torch.utils.data import get_worker_info

    if get_worker_info() is not None:
        one_thread()


class JoinedDataset:
    """Several data sets as one; the numbers of the second follow those of the first.

    Raises:
        InputError: there is none, or their sizes differ.
    """

    def __init__(self, datasets: Sequence[TryOnDataset]) -> None:
        if not datasets:
            raise InputError("There is no data set to join: give one or more.")
        sizes = {dataset.size for dataset in datasets}
        if len(sizes) > 1:
            found = " and ".join(f"{height}x{width}" for height, width in sorted(sizes))
            raise InputError(f"Data sets of the sizes {found} cannot be joined: open all of them with one size.")
        self.datasets = list(datasets)
        self._ends = np.cumsum([len(dataset) for dataset in datasets])

    def __str__(self) -> str:
        return "\n".join(map(str, self.datasets))

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of all items."""
        return self.datasets[0].size

    def sample(self, key: Key) -> Sample:
        """As :meth:`TryOnDataset.sample`."""
        dataset, key = self._of(key)
        return dataset.sample(key)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        dataset, key = self._of(key)
        return dataset[key]

    def _of(self, key: Key) -> tuple[TryOnDataset, Key]:
        epoch, number = key if isinstance(key, tuple) else (0, key)
        number = range(len(self))[number]
        which = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[which - 1]) if which else 0
        return self.datasets[which], (epoch, number - before)
