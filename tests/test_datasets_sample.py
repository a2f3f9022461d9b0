from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dataset_files import KEYPOINTS, OWN, SIZE, body, garment, person, write_synthetic, write_viton_hd
from torch.utils.data import DataLoader

from vto_utils import agnostic
from vto_utils.datasets import Sample, collate, open_dataset
from vto_utils.datasets.sample import agnostic_region, on_white, to_item, visible_garment
from vto_utils.errors import InputError
from vto_utils.labels import ID
from vto_utils.pose import Pose


def a_sample(category: str = "upper_body", **changes) -> Sample:
    cloth, mask = (np.array(image) for image in garment())
    return replace(Sample("p", "c", "drawn", category, np.array(person()), body(), KEYPOINTS, cloth, mask), **changes)


def test_a_batch_of_different_data_sets(tmp_path):
    synthetic = open_dataset(write_synthetic(tmp_path / "a"), size=SIZE)
    real = open_dataset(write_viton_hd(tmp_path / "b", "test"), "test", SIZE, pairing="unpaired")
    batch = collate([synthetic[0], real[0], real[1]])
    assert batch["person"].shape == (3, 3, *SIZE) and batch["category"].shape == (3,)
    assert batch["has_flow"].tolist() == batch["has_target"].tolist() == [True, False, False]
    assert batch["dataset"] == ["synthetic", "VITON-HD", "VITON-HD"] and batch["name"][1] == "00000_00"
    assert batch["flow"][0].any() and not batch["flow"][1:].any()
    loaded = next(iter(DataLoader(real, batch_size=2, collate_fn=collate)))
    assert torch.equal(loaded["cloth"], batch["cloth"][1:])


def test_sizes_are_not_mixed(tmp_path):
    root = write_viton_hd(tmp_path)
    with pytest.raises(InputError, match="64x48 and 128x96 cannot be one batch"):
        collate([open_dataset(root, size=size)[0] for size in (SIZE, OWN)])


@pytest.mark.parametrize("category", ["upper_body", "lower_body", "dresses"])
def test_the_agnostic_mask_is_that_of_a_try_on(category):
    expected = agnostic.agnostic_mask(body(), Pose(KEYPOINTS), category)
    assert np.array_equal(agnostic_region(a_sample(category)), expected) and expected.any()
    own = np.eye(*OWN) > 0
    assert np.array_equal(agnostic_region(a_sample(category, agnostic_mask=own)), own)


@pytest.mark.parametrize("category", ["upper_body", "lower_body", "dresses"])
def test_without_shoulders_the_labels_decide(category):
    sample = a_sample(category, keypoints=np.zeros((18, 3), np.float32))
    region = agnostic_region(sample)
    assert region[visible_garment(body(lower="pants"), category)].all()
    for name in ("hair", "face", "left-shoe"):
        assert not region[body() == ID[name]].any()
    other = {"upper_body": "pants", "lower_body": "upper-clothes"}.get(category)
    assert other is None or not region[body() == ID[other]].any()


def test_places_outside_the_picture_serve_the_mask_only():
    points = KEYPOINTS.copy()
    points[[2, 5], 2] = 0  # of the shoulders the place is known, but they are not seen
    sample = a_sample(keypoints=points, places_known=True)
    full = points.copy()
    full[:, 2] = 1
    assert np.array_equal(agnostic_region(sample), agnostic.agnostic_mask(body(), Pose(full), "upper_body"))
    assert not to_item(sample)["keypoints"][[2, 5]].any()


def test_the_visible_garment():
    dress = body(upper="dress", lower="dress")
    assert np.array_equal(visible_garment(dress, "dresses"), dress == ID["dress"])
    assert np.array_equal(visible_garment(dress, "upper_body"), dress == ID["dress"])  # a long top, to a parser
    assert not visible_garment(dress, "lower_body").any()
    apart = body(lower="skirt")
    whole = np.isin(apart, (ID["upper-clothes"], ID["skirt"]))
    assert np.array_equal(visible_garment(apart, "dresses"), whole)  # a dress taken for a top with a skirt
    assert np.array_equal(visible_garment(apart, "lower_body"), apart == ID["skirt"])


def test_on_white():
    picture = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    mask = np.random.default_rng(1).integers(0, 256, (8, 9)).astype(np.uint8)
    share = mask[..., None] / 255
    assert np.abs(on_white(picture, mask) - (picture * share + 255 * (1 - share))).max() <= 1
    assert np.array_equal(on_white(picture, np.full((8, 9), 255, np.uint8)), picture)
    assert (on_white(picture, np.zeros((8, 9), np.uint8)) == 255).all()
