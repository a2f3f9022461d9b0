from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_files import OWN, SIZE, DrawnGenerator, write_synthetic

from vto_utils.agnostic import agnostic_mask
from vto_utils.datasets import TryOnDataset, open_dataset
from vto_utils.datasets.synthetic import SyntheticStream
from vto_utils.errors import InputError
from vto_utils.networks import sample as read_at
from vto_utils.pose import Pose
from vto_utils.synth.dataset import SyntheticDataset
from vto_utils.synth.samples import SynthConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("synthetic") / "set", 8)


def test_the_other_garment_is_tried_on(folder):
    """Person in A, garment and target B, everything of one file each."""
    dataset = open_dataset(folder, size=OWN, exchange=False)
    for number, stored in enumerate(SyntheticDataset(folder)):
        item = dataset[number]
        assert item["swapped"] and item["has_flow"] and item["has_target"]
        assert item["cloth_name"] == item["name"][:-1] + "1"
        for name, field in (("person", "image"), ("target", "image_swap"), ("parse", "parse"), ("flow", "flow_swap"),
                            ("target_parse", "parse_swap"), ("target_garment", "garment_mask_swap"),
                            ("flow_valid", "valid_swap")):  # fmt: skip
            assert torch.equal(item[name], stored[field].to(item[name].dtype)), name
        seen = stored["cloth_mask_swap"][0] > 0
        assert torch.allclose(item["cloth"][:, seen], stored["cloth_swap"][:, seen], atol=0.01)


def test_or_the_garment_that_is_worn(folder):
    dataset = open_dataset(folder, size=OWN, swap=0.0, exchange=False)
    for number, stored in enumerate(SyntheticDataset(folder)):
        item = dataset[number]
        assert not item["swapped"] and item["cloth_name"] == item["name"]
        assert torch.equal(item["person"], item["target"]) and torch.equal(item["person"], stored["image"])
        assert torch.equal(item["flow"], stored["flow"])


def test_shares_are_drawn_by_the_seed(folder):
    dataset = open_dataset(folder, size=SIZE, swap=0.3, seed=2)
    keys = [(epoch, number) for epoch in range(16) for number in range(len(dataset))]
    swapped = [dataset.sample(key).swapped for key in keys]
    assert 0.1 < np.mean(swapped) < 0.5
    again = open_dataset(folder, size=SIZE, swap=0.3, seed=2)
    assert [again.sample(key).swapped for key in reversed(keys)] == swapped[::-1]
    other = open_dataset(folder, size=SIZE, swap=0.3, seed=3)
    assert [other.sample(key).swapped for key in keys] != swapped
    assert all(open_dataset(folder, size=SIZE, swap=0.3, pairing="unpaired")[n]["swapped"] for n in range(3))


def test_either_outfit_may_be_the_one_worn(folder):
    stored, dataset = SyntheticDataset(folder)[0], open_dataset(folder, size=OWN)
    worn = {bool(torch.equal(dataset[epoch, 0]["person"], stored["image"])) for epoch in range(12)}
    assert worn == {True, False}
    test = open_dataset(folder, "test", OWN)
    assert all(test[epoch, 0]["cloth_name"].endswith("_01") for epoch in range(6))


def test_the_mask_is_of_the_outfit_worn(folder):
    dataset = open_dataset(folder, size=OWN, exchange=False)
    for number, stored in enumerate(SyntheticDataset(folder)):
        points = stored["keypoints"].numpy().copy()
        points[:, 2] = 1  # outside the picture too a place is known
        expected = agnostic_mask(stored["parse"].numpy().astype(np.uint8), Pose(points), stored["category"])
        assert np.array_equal(dataset[number]["agnostic_mask"][0].numpy() > 0, expected)
        kept = open_dataset(folder, size=OWN, agnostic="files")[number]["agnostic_mask"]
        assert torch.equal(kept, stored["agnostic_mask"])


def test_the_flow_fits_at_every_size(folder):
    for size in (OWN, SIZE, (32, 24)):
        item = open_dataset(folder, size=size)[1]
        warped = read_at(item["cloth"][None], item["flow"][None])[0]
        seen = (item["flow_valid"] > 0) & (read_at(item["cloth_mask"][None], item["flow"][None])[0] > 0.99)
        seen &= torch.nn.functional.avg_pool2d(item["flow_valid"], 3, 1, 1) > 0.99  # edges show both sides
        assert seen.sum() > 10
        assert (warped - item["target"])[seen.expand(3, -1, -1)].abs().mean() < 0.1  # one colour, and noise


def test_on_the_fly_gives_what_the_folder_gives(folder):
    config = SynthConfig(size=OWN, held_out=0.3, category="upper_body")
    stream = SyntheticStream(config, 8, "train", generator=DrawnGenerator)
    made, read = TryOnDataset(stream, seed=1), open_dataset(folder, size=OWN, seed=1)
    found = SyntheticDataset(folder)
    for number in range(len(read)):
        index = found[number]["index"]
        one, other = stream.read(index, np.random.default_rng(4)), read.source.read(number, np.random.default_rng(4))
        assert one.cloth_name == other.cloth_name and np.array_equal(one.parse, other.parse)
        assert np.abs(one.flow - other.flow).max() < 1e-3 and np.array_equal(one.flow_valid, other.flow_valid)
        assert np.abs(one.target.astype(int) - other.target).mean() < 3  # JPEG
        assert np.abs(one.cloth.astype(int) - other.cloth).mean() < 3
    assert set(made[0]) == set(read[0]) and made.size == OWN


def test_a_real_sample_made_on_the_fly():
    dataset = open_dataset(SynthConfig(seed=3, category="lower_body"), size=SIZE, length=1)
    item = dataset[0]
    assert item["category"] == 1 and "on the fly" in str(dataset)
    assert item["flow_valid"].sum() > 30 and item["target_garment"].sum() > 30
    hidden = item["agnostic_mask"][0] > 0
    assert hidden[item["target_garment"][0] > 0].float().mean() > 0.9


def test_categories(folder):
    assert len(open_dataset(folder, size=SIZE, categories="upper_body")) == len(SyntheticDataset(folder))
    with pytest.raises(InputError, match="no sample of dresses of the split 'train'"):
        open_dataset(folder, size=SIZE, categories=["dresses"])


def test_categories_of_a_mixed_set(tmp_path):
    root = write_synthetic(tmp_path / "set", 9, category="all")
    sets = [open_dataset(root, size=SIZE, categories=[name]) for name in ("upper_body", "lower_body", "dresses")]
    for place, dataset in enumerate(sets):
        assert all(dataset[number]["category"] == place for number in range(len(dataset)))
    assert sum(map(len, sets)) == len(SyntheticDataset(root))


def test_a_damaged_sample_is_named(folder, tmp_path):
    root = write_synthetic(tmp_path / "set", 8)
    dataset = open_dataset(root, size=SIZE, exchange=False)
    index = dataset.source.indices[0]
    (root / f"train/flow-swap/{index:06d}_00.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=rf"Sample {index} in .*train cannot be read .*make the data set again"):
        dataset[0]
    (root / f"train/cloth/{dataset.source.indices[1]:06d}_01.jpg").unlink()
    with pytest.raises(InputError, match=r"cloth/\d+_01.jpg is missing"):
        dataset[1]
