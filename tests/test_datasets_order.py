from __future__ import annotations

from collections import Counter
from dataclasses import replace

import cv2
import pytest
import torch
from dataset_files import OWN, SIZE, write_dresscode, write_synthetic
from drawn_samples import a_sample
from torch.utils.data import DataLoader

from vto_utils.datasets import Augmentation, BatchOrder, TryOnDataset, collate, open_dataset
from vto_utils.errors import InputError


def test_every_item_comes_once_in_every_epoch():
    order = BatchOrder(length=7, batch=3, steps=14)
    keys = [key for batch in order for key in batch]
    assert len(order) == 14 and len(keys) == 42
    assert Counter(keys) == Counter((epoch, number) for epoch in range(6) for number in range(7))
    epochs = [[number for e, number in keys if e == epoch] for epoch in range(6)]
    assert len({tuple(one) for one in epochs}) == 6 and epochs[0] != sorted(epochs[0])


def test_the_order_follows_the_seed():
    batches = {seed: list(BatchOrder(50, 4, 20, seed=seed)) for seed in (0, 1)}
    assert batches[0] == list(BatchOrder(50, 4, 20, seed=0)) != batches[1]
    assert [key for batch in BatchOrder(5, 2, 3, shuffle=False) for key in batch] == [
        (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("start", [0, 1, 5, 19, 20])
def test_it_goes_on_at_any_step(start):
    order = BatchOrder(length=7, batch=3, steps=20, seed=4)
    assert list(order.starting_at(start)) == list(order)[start:]
    assert len(order.starting_at(start)) == 20 - start
    assert [order.keys(step) for step in (9, 2)] == [list(order)[9], list(order)[2]]  # backwards too


def test_processes_share_a_step():
    whole = BatchOrder(length=11, batch=6, steps=9, seed=2)
    parts = [BatchOrder(length=11, batch=2, steps=9, seed=2, rank=rank, world=3) for rank in range(3)]
    for step in range(9):
        assert sum((part.keys(step) for part in parts), []) == whole.keys(step)
    assert whole.epoch(4) == parts[0].epoch(4) == 24 / 11


def test_a_batch_longer_than_the_data_set():
    keys = BatchOrder(length=2, batch=9, steps=1).keys(0)
    assert Counter(epoch for epoch, _ in keys) == {0: 2, 1: 2, 2: 2, 3: 2, 4: 1}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"length": 0}, "1 or more"), ({"batch": 0}, "1 or more"), ({"rank": 2, "world": 2}, "count from 0"),
     ({"start": 9}, "not within")],
)  # fmt: skip
def test_what_makes_no_order(wrong, said):
    with pytest.raises(InputError, match=said):
        BatchOrder(**{"length": 4, "batch": 2, "steps": 8} | wrong)


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(v, other[k]) if torch.is_tensor(v) else v == other[k] for k, v in one.items())


def test_workers_and_resuming_change_nothing(tmp_path):
    """A mixed set, augmented: the same batches from 0 and 2 workers, and from a training that was resumed."""
    roots = [write_synthetic(tmp_path / "a"), write_dresscode(tmp_path / "b")]
    dataset = open_dataset(roots, size=SIZE, augmentation=Augmentation(seed=3), seed=3)
    order = BatchOrder(len(dataset), batch=4, steps=5, seed=3)
    alone = list(DataLoader(dataset, batch_sampler=order, collate_fn=collate))
    several = list(DataLoader(dataset, batch_sampler=order, collate_fn=collate, num_workers=2))
    resumed = list(DataLoader(dataset, batch_sampler=order.starting_at(3), collate_fn=collate))
    assert len(alone) == 5 and all(map(same, alone, several)) and all(map(same, alone[3:], resumed))
    assert not same(alone[0], alone[1])
    flags = torch.cat([batch["has_flow"] for batch in alone])
    assert flags.any() and not flags.all()


class Counting:
    """A source whose samples tell how many threads OpenCV uses."""

    size = OWN

    def __len__(self) -> int:
        return 2

    def read(self, number, rng):
        return replace(a_sample(), name=str(cv2.getNumThreads()))


def test_loader_workers_have_one_thread():
    before = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        dataset = TryOnDataset(Counting())
        assert dataset[0]["name"] == "4"
        assert next(iter(DataLoader(dataset, num_workers=1, collate_fn=collate)))["name"] == ["1"]
    finally:
        cv2.setNumThreads(before)
