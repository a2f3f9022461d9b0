"""What a run learns from: opened once for each stage, in that stage's size, and read in an order of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..datasets import Augmentation, AugmentationConfig, BatchOrder, collate, open_dataset
from ..errors import InputError
from .config import StageConfig, TrainConfig

MADE = "made"  # the source that renders samples when they are asked for
Batch = dict[str, Any]


class TrainingData:
    """The data sets of a run.

    Args:
        sources: folders that ``datasets.open_dataset`` knows, or "made" for synthetic samples that are rendered when
            they are asked for. Several are joined.
        config: of the run.

    Raises:
        InputError: there is no source.
    """

    def __init__(self, sources: Sequence[str | Path], config: TrainConfig) -> None:
        if not sources:
            raise InputError("There is nothing to train on: give one data set or more.")
        self.sources, self.config = [str(source) for source in sources], config
        self._opened: dict[tuple[str, tuple[int, int]], Any] = {}

    def train(self, size: tuple[int, int]) -> Any:
        """The split ``train`` at this size, augmented as configured.

        Raises:
            InputError: a data set cannot be used, or its samples have no target.
        """
        return self._once("train", size)

    def validation(self, size: tuple[int, int]) -> Any:
        """The split ``test`` at this size, as it is.

        Raises:
            InputError: as :meth:`train`.
        """
        return self._once("test", size)

    def _once(self, split: str, size: tuple[int, int]) -> Any:
        if (split, size) not in self._opened:
            dataset = self._open(split, size)
            _check_target(dataset)
            self._opened[split, size] = dataset
        return self._opened[split, size]

    def _open(self, split: str, size: tuple[int, int]) -> Any:
        config, opened, change = self.config, [], None
        if split == "train" and config.augment:
            change = Augmentation(_augmentation(config), config.seed)
        for source in self.sources:
            of_one: Any = source
            if source == MADE:
                from ..synth.samples import SynthConfig

                of_one = SynthConfig(size=size, seed=config.seed, category="all")
            length = config.length if split == "train" else max(1, config.validation_samples)
            opened.append(open_dataset(of_one, split, size, change, config.seed, swap=config.swap, length=length))
        if len(opened) == 1:
            return opened[0]
        from ..datasets import JoinedDataset

        return JoinedDataset(opened)


def _augmentation(config: TrainConfig) -> AugmentationConfig:
    try:
        return AugmentationConfig(**config.augmentation)
    except TypeError as error:
        raise InputError(f"The settings of the augmentation cannot be used: {error}.") from error


def _check_target(dataset: Any) -> None:
    for part in getattr(dataset, "datasets", [dataset]):
        if not part[0, 0]["has_target"]:
            raise InputError(f"Nothing can be learned without photos of the result: {part}")


def batches(
    dataset: Any,
    stage: StageConfig,
    seed: int,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    pinned: bool = False,
) -> Iterator[list[Batch]]:
    """What each step of a stage sees, from step ``start`` on: ``accumulate`` batches a step.

    A function of the seed and the step. All processes and all batches of a step together are the items of one larger
    batch, so accumulation, processes and batch can be traded for one another.
    """
    order = BatchOrder(len(dataset), stage.batch * stage.accumulate, stage.steps, seed, start, rank, world)
    loader = DataLoader(
        dataset,
        batch_sampler=_Keys(order, stage.batch),
        collate_fn=collate,
        num_workers=workers,
        prefetch_factor=3 if workers else None,
        worker_init_fn=_alone if workers else None,
        pin_memory=pinned,
        generator=torch.Generator(),  # or it would draw from everybody's random numbers
    )
    group: list[Batch] = []
    for batch in loader:
        group.append(batch)
        if len(group) == stage.accumulate:
            yield group
            group = []


class _Keys:
    """The keys of the batches, made when they are wanted."""

    def __init__(self, order: BatchOrder, batch: int) -> None:
        self.order, self.batch = order, batch

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in self.order:
            yield from _parts(step, self.batch)

    def __len__(self) -> int:
        return len(self.order) * (self.order.batch // self.batch)


def _parts(keys: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _alone(_: int) -> None:
    """A worker leaves the cores to its siblings, and Ctrl-C to the process that saves; it ends when it is told to."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def fixed_batches(dataset: Any, count: int, size: int) -> Iterator[Batch]:
    """``count`` items, evenly spread over the data set and always the same, in batches of ``size``."""
    numbers = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int).tolist()
    for start in range(0, len(numbers), size):
        yield collate([dataset[0, number] for number in numbers[start : start + size]])


def on_device(batch: Batch, device: str, channels_last: bool = False) -> Batch:
    """The batch's tensors on the device; pictures in the memory layout of the networks."""

    def moved(value: Tensor) -> Tensor:
        if channels_last and value.ndim == 4:
            return value.to(device, non_blocking=True, memory_format=torch.channels_last)
        return value.to(device, non_blocking=True)

    return {key: moved(value) if torch.is_tensor(value) else value for key, value in batch.items()}
