from __future__ import annotations

import json
import pickle

import cv2
import numpy as np
import pytest
import torch
from dataset_files import (
    COLOURS,
    GARMENT,
    KEYPOINTS,
    OWN,
    SIZE,
    body,
    openpose,
    save,
    write,
    write_dresscode,
    write_synthetic,
    write_viton,
    write_viton_hd,
)
from PIL import Image

from vto_utils import labels
from vto_utils.datasets import Augmentation, JoinedDataset, open_dataset, recognise
from vto_utils.datasets.reading import garment_mask, read_mask
from vto_utils.labels import ID

WRITERS = {
    "VITON-HD": write_viton_hd,
    "VITON": write_viton,
    "DressCode": write_dresscode,
    "synthetic": write_synthetic,
}
SHAPES = {
    "person": (3, *SIZE), "parse": SIZE, "agnostic_mask": (1, *SIZE), "keypoints": (18, 3), "cloth": (3, *SIZE),
    "cloth_mask": (1, *SIZE), "category": (), "target": (3, *SIZE), "target_parse": SIZE,
    "target_garment": (1, *SIZE), "flow": (2, *SIZE), "flow_valid": (1, *SIZE), "has_target": (), "has_flow": (),
    "swapped": (),
}  # fmt: skip
DTYPES = {"parse": torch.uint8, "target_parse": torch.uint8, "category": torch.int64}
DTYPES |= {"has_target": torch.bool, "has_flow": torch.bool, "swapped": torch.bool}


@pytest.mark.parametrize("layout", WRITERS)
def test_items_follow_the_conventions(layout, tmp_path):
    root = WRITERS[layout](tmp_path / "set")
    assert recognise(root) == layout
    dataset = open_dataset(root, size=SIZE)
    assert dataset.layout == layout and layout in str(dataset)
    for item in (dataset[number] for number in range(len(dataset))):
        assert set(item) == {*SHAPES, "name", "cloth_name", "dataset"}
        assert item["dataset"] == layout and isinstance(item["name"], str)
        for name, shape in SHAPES.items():
            assert tuple(item[name].shape) == shape, name
            assert item[name].dtype == DTYPES.get(name, torch.float32), name
            assert item[name].is_contiguous()
        for name in ("person", "cloth", "target"):
            assert -1 <= item[name].min() < item[name].max() <= 1
        for name in ("agnostic_mask", "target_garment"):
            assert set(item[name].unique().tolist()) == {0, 1}, name
        assert item["parse"].max() < 20
        assert 0 <= item["cloth_mask"].min() < item["cloth_mask"].max() == 1
        outside = (item["cloth_mask"] == 0).expand(3, -1, -1)
        assert outside.any() and (item["cloth"][outside] == 1).all()  # on white
        assert item["has_target"] and item["has_flow"] == (layout == "synthetic")


@pytest.mark.parametrize("layout", ["VITON-HD", "VITON", "DressCode"])
def test_the_person_of_a_real_photo_wears_the_garment(layout, tmp_path):
    dataset = open_dataset(WRITERS[layout](tmp_path / "set"), size=OWN)
    for number in range(len(dataset)):
        item = dataset[number]
        assert torch.equal(item["person"], item["target"]) and torch.equal(item["parse"], item["target_parse"])
        assert not item["swapped"] and not item["has_flow"] and not item["flow"].any()
        if item["category"] == 0:
            worn = item["target"][:, item["target_garment"][0] > 0].mean(1)
            flat = item["cloth"][:, item["cloth_mask"][0] == 1].mean(1)
            assert (worn - flat).abs().max() < 0.05  # one colour: person and garment belong together
        hidden = item["agnostic_mask"][0] > 0
        assert hidden[item["target_garment"][0] > 0].all()  # nothing of the old garment is seen


@pytest.mark.parametrize("demo", [False, True])
def test_viton_hd(demo, tmp_path):
    root = write_viton_hd(tmp_path, demo=demo)
    item = open_dataset(root, size=OWN)[1]
    assert item["name"] == item["cloth_name"] == "00001_00"
    assert np.array_equal(item["parse"].numpy(), body())
    assert np.allclose(item["keypoints"].numpy(), KEYPOINTS, atol=1e-3)
    half = open_dataset(root, size=SIZE)[1]
    assert np.allclose(half["keypoints"].numpy(), KEYPOINTS * (0.5, 0.5, 1), atol=1e-3)
    assert half["category"] == 0


def test_viton_hd_unpaired(tmp_path):
    root = write_viton_hd(tmp_path, "test")
    dataset = open_dataset(root, "test", SIZE, pairing="unpaired")
    item = dataset[0]
    assert (item["name"], item["cloth_name"]) == ("00000_00", "00001_00")
    assert item["swapped"] and not item["has_target"]
    assert not item["target"].any() and not item["target_garment"].any() and not item["target_parse"].any()
    own = open_dataset(root, "test", SIZE)[0]
    assert own["cloth_name"] == own["name"] and own["has_target"]
    write(root / "test_pairs_unpaired.txt", "00000_00.jpg 00002_00.jpg dresses\n")
    item = open_dataset(root, "test", SIZE, pairing="unpaired")[0]
    assert item["cloth_name"] == "00002_00" and item["category"] == 2


def test_agnostic_masks_from_files(tmp_path):
    root = write_viton_hd(tmp_path)
    mask = open_dataset(root, size=OWN, agnostic="files")[0]["agnostic_mask"][0].numpy()
    expected = np.zeros(OWN)
    expected[20:80, 20:76] = 1
    assert np.array_equal(mask, expected)
    computed = open_dataset(root, size=OWN)[0]["agnostic_mask"][0].numpy()
    assert not np.array_equal(computed, expected)


@pytest.mark.parametrize("new", [False, True])
def test_viton(new, tmp_path):
    root = write_viton(tmp_path, new=new)
    item = open_dataset(root, size=OWN)[2]
    assert (item["name"], item["cloth_name"]) == ("000002_0", "000002_1")
    neck = item["parse"][26, 48]
    assert neck == (ID["torso-skin"] if new else ID["face"])
    assert np.allclose(item["keypoints"].numpy(), KEYPOINTS, atol=1e-3)
    write_viton(tmp_path, "test", new=new)
    assert open_dataset(root, "test", SIZE)[0]["cloth_name"] == "000000_1"
    assert open_dataset(root, "test", SIZE, pairing="unpaired")[0]["cloth_name"] == "000001_1"


def test_jumpsuits_of_lip_are_dresses(tmp_path):
    root = write_viton(tmp_path, count=1)
    path = root / "train" / "image-parse" / "000000_0.png"
    ids = np.array(Image.open(path))
    ids[ids == ID["upper-clothes"]] = 10
    save(Image.fromarray(ids), path)
    item = open_dataset(root, size=OWN)[0]
    assert (item["parse"][40, 48], item["target_garment"][0, 40, 48]) == (ID["dress"], 1)


@pytest.mark.parametrize("masks", [False, True])
def test_dresscode(masks, tmp_path):
    root = write_dresscode(tmp_path, masks=masks)
    dataset = open_dataset(root, size=OWN)
    assert ("masks made" in str(dataset)) != masks
    assert len(dataset) == 6
    assert [int(dataset[number]["category"]) for number in range(6)] == [0, 0, 1, 1, 2, 2]
    garments = {0: "upper-clothes", 2: "pants", 4: "dress"}
    for number, name in garments.items():
        item = dataset[number]
        assert np.array_equal(item["target_garment"][0].numpy() > 0, item["parse"].numpy() == ID[name])
        assert item["parse"][18, 48] == ID["face"]  # ATR has one label for the head
        points = item["keypoints"].numpy()
        assert np.allclose(points[:17, :2], KEYPOINTS[:17, :2], atol=0.01)  # from 512 x 384
        assert np.allclose(points[:17, 2], 0.8) and not points[17].any()
        top, bottom, left, right = GARMENT
        expected = np.zeros(OWN)
        expected[top:bottom, left:right] = 1
        assert (np.abs(item["cloth_mask"][0].numpy() - expected) > 0.5).mean() < 0.01
    lower = open_dataset(root, "test", SIZE, categories=["lower_body"], pairing="unpaired")
    assert [lower[n]["cloth_name"] for n in range(2)] == ["001001_1", "001000_1"]


def test_another_shape_is_fitted_without_distortion(tmp_path):
    root = write_viton_hd(tmp_path)
    square = open_dataset(root, size=(128, 128))[0]
    plain = open_dataset(root, size=OWN)[0]
    assert torch.equal(square["person"][:, :, 16:112], plain["person"])
    assert torch.equal(square["parse"][:, 16:112], plain["parse"])
    assert (square["person"][:, :, :16] == 1).all() and not square["parse"][:, 112:].any()
    assert torch.allclose(square["keypoints"][:, 0] - 16, plain["keypoints"][:, 0])


def test_an_openpose_file_without_people_means_unknown_points(tmp_path):
    root = write_viton_hd(tmp_path)
    write(root / "train/openpose_json/00000_00_keypoints.json", {"people": []})
    item = open_dataset(root, size=SIZE)[0]
    assert not item["keypoints"].any()
    hidden = item["agnostic_mask"][0] > 0
    assert hidden[item["target_garment"][0] > 0].all() and not hidden[item["parse"] == ID["face"]].any()


def test_incomplete_pairs_can_be_skipped(tmp_path):
    root = write_viton_hd(tmp_path)
    (root / "train/cloth/00001_00.jpg").unlink()
    dataset = open_dataset(root, size=SIZE, incomplete="skip")
    assert [dataset[n]["name"] for n in range(len(dataset))] == ["00000_00", "00002_00"]
    assert "1 incomplete pairs skipped" in str(dataset)


def test_masks_of_any_kind(tmp_path):
    expected = np.zeros(OWN, np.uint8)
    expected[20:60, 10:50] = 255
    images = {
        "grey": Image.fromarray(expected), "bits": Image.fromarray(expected > 0),
        "ones": Image.fromarray(expected // 255),
        "rgb": Image.fromarray(np.repeat(expected[..., None], 3, 2)),
        "palette": labels.to_palette_image(expected // 255),
        "deep": Image.fromarray(expected.astype(np.uint16) * 257),
    }  # fmt: skip
    for name, image in images.items():
        save(image, tmp_path / f"{name}.png")
        assert np.array_equal(read_mask(tmp_path / f"{name}.png", OWN), expected), name


def test_a_mask_from_a_white_background():
    picture = np.full((128, 96, 3), 252, np.uint8)
    picture += np.random.default_rng(0).integers(-2, 3, picture.shape).astype(np.uint8)
    cv2.rectangle(picture, (20, 30), (70, 100), (225, 225, 222), -1)  # nearly white
    cv2.rectangle(picture, (40, 50), (50, 60), (252, 252, 252), -1)  # a white print within
    mask = garment_mask(picture) > 0
    expected = np.zeros((128, 96), bool)
    expected[30:101, 20:71] = True
    assert (mask & expected).sum() / (mask | expected).sum() > 0.93
    assert not garment_mask(np.full((64, 48, 3), 250, np.uint8)).any()


def test_joined_sets_follow_each_other(tmp_path):
    roots = [write_viton_hd(tmp_path / "a"), write_dresscode(tmp_path / "b")]
    joined = open_dataset(roots, size=SIZE)
    assert isinstance(joined, JoinedDataset) and len(joined) == 3 + 6 and joined.size == SIZE
    assert [joined[n]["dataset"] for n in (0, 2, 3, 8, -1)] == ["VITON-HD"] * 2 + ["DressCode"] * 3
    assert joined[3]["name"] == "000000_0"
    with pytest.raises(IndexError):
        joined[9]


def test_palettes_that_move_the_ids(tmp_path):
    """Some programs save label maps with colours at other places of the palette: the colours tell."""
    root = write_viton_hd(tmp_path)
    for path in (root / "train/image-parse-v3").iterdir():
        image = Image.fromarray(19 - body())
        image.putpalette(labels.palette()[:20][::-1].reshape(-1).tolist())
        save(image, path)
    dataset = open_dataset(root, size=OWN)
    assert all(np.array_equal(dataset[number]["parse"].numpy(), body()) for number in range(3))


def test_data_sets_go_to_spawned_workers(tmp_path):
    for name, write_layout in WRITERS.items():
        dataset = open_dataset(write_layout(tmp_path / name), size=SIZE, augmentation=Augmentation())
        there = pickle.loads(pickle.dumps(dataset))
        assert torch.equal(there[2, 0]["person"], dataset[2, 0]["person"])


def test_json_with_a_third_dimension_of_points(tmp_path):
    """OpenPose writes hands and faces beside the body; they are not asked for."""
    root = write_viton_hd(tmp_path, count=1)
    document = openpose(KEYPOINTS)
    document["people"][0] |= {"hand_left_keypoints_2d": [1.0] * 63, "face_keypoints_2d": []}
    write(root / "train/openpose_json/00000_00_keypoints.json", json.dumps(document))
    assert np.allclose(open_dataset(root, size=OWN)[0]["keypoints"].numpy(), KEYPOINTS, atol=1e-3)


def test_colours_are_rgb(tmp_path):
    item = open_dataset(write_viton_hd(tmp_path), size=OWN)[0]
    assert np.allclose((item["cloth"][:, 64, 48].numpy() + 1) * 127.5, COLOURS[0], atol=6)
