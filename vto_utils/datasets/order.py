"""The order in which a training sees its items: a function of the seed and the step, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError

_ORDER = 3  # stream of random numbers


@dataclass(frozen=True)
class BatchOrder:
    """Batches of keys for ``DataLoader(dataset, batch_sampler=order)``; a key is (epoch, number).

    The shuffled epochs follow each other without a gap, so every item comes once in every epoch whatever the batch
    size is, and a batch may end one epoch and begin the next. A training that stopped after ``k`` steps goes on with
    ``order.starting_at(k)``, and sees what it would have seen.

    Attributes:
        length: number of items of the data set.
        batch: items of a step in this process.
        steps: length of the training in steps.
        seed: of the order.
        start: first step that is given.
        rank, world: number of this process and of all processes; each gets its own part of a step.
        shuffle: otherwise items come by number.
    """

    length: int
    batch: int
    steps: int
    seed: int = 0
    start: int = 0
    rank: int = 0
    world: int = 1
    shuffle: bool = True
    _last: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if min(self.length, self.batch, self.world) < 1:
            raise InputError(
                f"{self.length} items in batches of {self.batch} for {self.world} processes make no order: "
                "give 1 or more of each."
            )
        if not 0 <= self.rank < self.world:
            raise InputError(f"There is no process {self.rank} among {self.world}: count from 0.")
        if not 0 <= self.start <= self.steps:
            raise InputError(f"Step {self.start} is not within the training's {self.steps} steps.")

    def __len__(self) -> int:
        return self.steps - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return (self.keys(step) for step in range(self.start, self.steps))

    def starting_at(self, step: int) -> BatchOrder:
        """The same order from this step on."""
        return replace(self, start=step, _last={})

    def epoch(self, step: int) -> float:
        """How many times all items were seen before this step."""
        return step * self.batch * self.world / self.length

    def keys(self, step: int) -> list[tuple[int, int]]:
        """Keys of this process's part of a step."""
        first = (step * self.world + self.rank) * self.batch
        return [self._key(position) for position in range(first, first + self.batch)]

    def _key(self, position: int) -> tuple[int, int]:
        epoch, place = divmod(position, self.length)
        if not self.shuffle:
            return epoch, place
        if epoch not in self._last:
            if len(self._last) > 1:  # a batch touches two epochs at most, unless it is longer than one
                self._last.pop(min(self._last))
            self._last[epoch] = np.random.default_rng([self.seed, _ORDER, epoch]).permutation(self.length)
        return epoch, int(self._last[epoch][place])
