from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drawn import DrawnGenerator
from torch.utils.data import DataLoader

from vto_utils.errors import InputError
from vto_utils.synth import layout
from vto_utils.synth.dataset import SyntheticDataset
from vto_utils.synth.samples import SynthConfig
from vto_utils.synth.storage import write_dataset

SIZE = (64, 48)
CONFIG = SynthConfig(size=SIZE, held_out=0.3)
COUNT = 6

SHAPES = {
    "image": (3, *SIZE), "cloth": (3, *SIZE), "agnostic": (3, *SIZE), "cloth_mask": (1, *SIZE),
    "garment_mask": (1, *SIZE), "agnostic_mask": (1, *SIZE), "person_mask": (1, *SIZE),
    "valid": (1, *SIZE), "depth": (1, *SIZE),
    "parse": SIZE, "parse_agnostic": SIZE, "side": SIZE, "parts": SIZE, "flow": (2, *SIZE), "part_uv": (2, *SIZE),
    "normal": (3, *SIZE), "keypoints": (18, 3),
}  # fmt: skip
LABELS = {"parse", "parse_agnostic", "side", "parts"}
#: What JPEG, float16 and int8 may change: mean absolute differences.
TOLERANCES = {"image": 0.02, "cloth": 0.02, "agnostic": 0.02, "cloth_mask": 0.01, "flow": 3e-4, "part_uv": 3e-4}
TOLERANCES |= {"depth": 0.01, "normal": 4e-3, "keypoints": 6e-4}


def on_the_fly(length: int = COUNT, config: SynthConfig = CONFIG, **options) -> SyntheticDataset:
    return SyntheticDataset.from_config(config, length, generator=DrawnGenerator, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "set"
    write_dataset(CONFIG, out, COUNT, workers=0, progress=False, generator=DrawnGenerator)
    return out


def both(folder: Path) -> list[SyntheticDataset]:
    return [SyntheticDataset(folder), on_the_fly()]


def test_items_follow_the_conventions(folder):
    for dataset in both(folder):
        item = dataset[1]
        assert set(item) == {*layout.FIELDS, "index", "name", "category", "split"}
        for name in layout.FIELDS:
            kind, value = name.removesuffix("_swap"), item[name]
            assert value.shape == SHAPES[kind], name
            assert value.dtype == (torch.int64 if kind in LABELS else torch.float32), name
            assert value.is_contiguous()
            low, high = (-1, 1) if kind in ("image", "cloth", "agnostic", "flow", "normal") else (0, 100)
            high = 1 if kind.endswith("mask") or kind in ("valid", "part_uv") else high
            assert low <= value.min() < value.max() <= high, name
        for name in ("cloth_mask", "garment_mask", "agnostic_mask", "valid", "garment_mask_swap"):
            assert set(item[name].unique().tolist()) == {0, 1}
        assert item["split"] == "train" and item["name"] == f"{item['index']:06d}_00"


def test_folder_and_on_the_fly_give_the_same(folder):
    """Sample by sample, up to JPEG for pictures, float16 for flow, texture and depth, int8 for normals."""
    made = on_the_fly(split=None)
    seen = []
    for split in ("train", "test"):
        for item in SyntheticDataset(folder, split):
            other = made[item["index"]]
            seen.append(item["index"])
            for name, value in item.items():
                if torch.is_tensor(value):
                    difference = (value - other[name]).abs().double().mean()
                    assert difference <= TOLERANCES.get(name.removesuffix("_swap"), 0), name
                else:
                    assert value == other[name]
    assert sorted(seen) == list(range(COUNT))


def test_flow_is_for_grid_sample(folder):
    item = SyntheticDataset(folder)[0]
    grid = item["flow"].permute(1, 2, 0)[None]
    warped = torch.nn.functional.grid_sample(item["cloth"][None], grid, align_corners=False)[0]
    seen = item["valid"].expand(3, -1, -1) > 0
    inside = torch.nn.functional.grid_sample(item["cloth_mask"][None], grid, align_corners=False)[0] > 0.99
    seen &= inside
    assert seen.sum() > 100
    assert (warped - item["image"])[seen].abs().mean() < 0.1  # the drawn garment has one colour


def test_splits_on_the_fly():
    whole = {split: on_the_fly(split=split) for split in ("train", "test", None)}
    assert {item["split"] for item in whole["train"]} == {"train"}
    assert {item["split"] for item in whole["test"]} == {"test"}
    assert {item["split"] for item in whole[None]} == {"train", "test"}
    for plain, train in zip(whole[None], whole["train"], strict=True):  # what is for training is the same in both
        assert plain["split"] == "test" or torch.equal(plain["image"], train["image"])


def test_only_what_is_wanted_is_read(folder, monkeypatch):
    opened = []
    monkeypatch.setattr(layout.Image, "open", _noting(layout.Image.open, opened))
    monkeypatch.setattr(layout.np, "load", _noting(layout.np.load, opened))
    item = SyntheticDataset(folder, fields=("cloth_swap", "flow", "keypoints"))[0]
    assert set(item) == {"cloth_swap", "flow", "keypoints", "index", "name", "category", "split"}
    assert [path.parent.name for path in opened] == ["cloth", "flow"]
    assert set(on_the_fly(fields=["parse"])[0]) == {"parse", "index", "name", "category", "split"}


def _noting(function, calls):
    def noted(path, *args, **kwargs):
        calls.append(Path(path))
        return function(path, *args, **kwargs)

    return noted


def test_sequence_protocol(folder):
    for dataset in both(folder):
        assert len(list(dataset)) == len(dataset)
        assert dataset[-1]["index"] == dataset[len(dataset) - 1]["index"]
        with pytest.raises(IndexError):
            dataset[len(dataset)]


def test_transform(folder):
    assert SyntheticDataset(folder, transform=lambda item: item["name"])[0] == SyntheticDataset(folder)[0]["name"]
    assert on_the_fly(transform=lambda item: item["index"] + 100)[2] == 102


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_loader_workers(folder, method):
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    fields = ("image", "parse", "keypoints")
    datasets = [on_the_fly(fields=fields), SyntheticDataset(folder, fields=fields)]
    for dataset in datasets[: 1 if method == "spawn" else 2]:  # a spawned process needs seconds to import torch
        dataset[0]  # what this process has made is no hindrance
        loader = DataLoader(dataset, 2, num_workers=1 if method == "spawn" else 2, multiprocessing_context=method)
        batches = list(loader)
        assert sum(len(batch["index"]) for batch in batches) == len(dataset)
        assert batches[0]["image"].shape == (2, 3, *SIZE) and batches[0]["parse"].dtype == torch.int64
        assert isinstance(batches[0]["category"][0], str)
        for place, index in enumerate(torch.cat([batch["index"] for batch in batches]).tolist()):
            assert index == dataset[place]["index"]
        torch.testing.assert_close(torch.cat([batch["image"] for batch in batches])[-1], dataset[-1]["image"])


@pytest.mark.skipif("fork" not in torch.multiprocessing.get_all_start_methods(), reason="needs fork")
def test_forked_loader_workers_after_opencv_has_used_its_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        large = np.zeros((2000, 2000, 3), np.float32)
        cv2.warpAffine(large, np.float32([[1, 0.1, 0], [0, 1, 0]]), (2000, 2000))
        loader = DataLoader(on_the_fly(2, fields=["parse"]), num_workers=1, multiprocessing_context="fork", timeout=30)
        assert [batch["parse"].shape for batch in loader] == [(1, *SIZE)] * 2
    finally:
        cv2.setNumThreads(before)


def test_the_generator_is_made_when_it_is_needed_and_stays_at_home():
    class Counting(DrawnGenerator):
        made = 0

        def __init__(self, config):
            type(self).made += 1
            super().__init__(config)

    dataset = SyntheticDataset.from_config(CONFIG, 3, generator=Counting)
    assert Counting.made == 0
    dataset[0], dataset[1]
    assert Counting.made == 1
    travelling = on_the_fly()
    travelling[0]
    assert len(pickle.dumps(travelling)) < 2000


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda folder: SyntheticDataset(folder / "nowhere"), "is no synthetic data set"),
        (lambda folder: SyntheticDataset(folder, "valid"), "no split called 'valid': use train or test"),
        (lambda folder: SyntheticDataset(folder, fields=["image", "hat"]), "no field called 'hat': use some of"),
        (lambda folder: on_the_fly(0), "The length 0 cannot be used"),
        (lambda folder: on_the_fly(split="valid"), "no split called 'valid'"),
        (lambda folder: on_the_fly(config=replace(CONFIG, size=(64, 64))), "The size 64x64"),
    ],
)
def test_bad_input(call, sentence, folder):
    with pytest.raises(InputError, match=sentence):
        call(folder)


def test_a_split_without_samples(tmp_path):
    config = replace(CONFIG, held_out=0.0)
    write_dataset(config, tmp_path / "set", 1, workers=0, progress=False, generator=DrawnGenerator)
    with pytest.raises(InputError, match="no sample of the split 'test' in .*make more samples"):
        SyntheticDataset(tmp_path / "set", "test")


@pytest.mark.parametrize("path", ["image/{}.jpg", "flow/{}.npz", "image-parse-v3/{}.png"])
def test_a_damaged_file_is_named(tmp_path, path):
    out = tmp_path / "set"
    write_dataset(replace(CONFIG, held_out=0.0), out, 1, workers=0, progress=False, generator=DrawnGenerator)
    file = out / "train" / path.format("000000_00")
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=r"Sample 0 in .* cannot be read .*params/000000_00\.json and make") as caught:
        SyntheticDataset(out)[0]
    assert "\n" not in str(caught.value)
    file.unlink()
    with pytest.raises(InputError, match=r"Sample 0 in .*000000_00"):
        SyntheticDataset(out)[0]
    assert np.isfinite(SyntheticDataset(out, fields=["keypoints"])[0]["keypoints"]).all()
