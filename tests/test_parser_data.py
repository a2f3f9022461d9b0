from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from vto_utils.errors import InputError
from vto_utils.labels import ID
from vto_utils.parser_data import (
    BAG,
    CCP,
    CCP_TO_CIHP,
    UNKNOWN,
    Example,
    ParserStream,
    augment,
    flip_example,
    frame_matrix,
    heatmaps,
    held_out,
    map_ccp,
    network_input,
    person_box,
    warp_example,
)
from vto_utils.pose import KEYPOINT_NAMES, Pose

CCP_NAMES = [
    "null", "accessories", "bag", "belt", "blazer", "blouse", "bodysuit", "boots", "bra", "bracelet", "cape",
    "cardigan", "clogs", "coat", "dress", "earrings", "flats", "glasses", "gloves", "hair", "hat", "heels", "hoodie",
    "intimate", "jacket", "jeans", "jumper", "leggings", "loafers", "necklace", "panties", "pants", "pumps", "purse",
    "ring", "romper", "sandals", "scarf", "shirt", "shoes", "shorts", "skin", "skirt", "sneakers", "socks",
    "stockings", "suit", "sunglasses", "sweater", "sweatshirt", "swimwear", "t-shirt", "tie", "tights", "top",
    "vest", "wallet", "watch", "wedges",
]  # fmt: skip


def standing() -> Pose:
    """Somebody facing the camera in a photo of 200 x 120; the person's left is on the right."""
    places = {
        "nose": (60, 24), "neck": (60, 48), "right_eye": (57, 21), "left_eye": (63, 21), "right_ear": (53, 23),
        "left_ear": (67, 23), "right_shoulder": (44, 48), "right_elbow": (36, 75), "right_wrist": (32, 98),
        "left_shoulder": (76, 48), "left_elbow": (84, 75), "left_wrist": (88, 98), "right_hip": (51, 100),
        "right_knee": (50, 140), "right_ankle": (50, 178), "left_hip": (69, 100), "left_knee": (70, 140),
        "left_ankle": (70, 178),
    }  # fmt: skip
    points = np.array([(*places[name], 1) for name in KEYPOINT_NAMES], np.float32)
    return Pose(points)


def drawn() -> Example:
    """A red top, a blue bag on the left of the picture, and a left arm; colours tell the labels."""
    labels = np.zeros((200, 120), np.uint8)
    labels[50:100, 45:75] = ID["upper-clothes"]
    labels[90:110, 10:30] = BAG
    labels[55:95, 78:86] = ID["left-arm"]
    image = np.full((200, 120, 3), 90, np.uint8)
    for number, colour in ((ID["upper-clothes"], (250, 0, 0)), (BAG, (0, 0, 250)), (ID["left-arm"], (0, 250, 0))):
        image[labels == number] = colour
    return Example(image, labels, np.where(labels > 0, 255, 0).astype(np.uint8), standing().keypoints)


def test_every_class_of_ccp_has_a_place():
    assert list(CCP_TO_CIHP) == CCP_NAMES


def test_skin_is_split_by_the_pose():
    ids = np.full((200, 120), CCP_NAMES.index("skin"), np.uint8)
    labels = map_ccp(ids, standing())
    expected = {
        (24, 60): "face", (46, 60): "torso-skin", (60, 60): "torso-skin", (85, 33): "right-arm", (85, 87): "left-arm",
        (140, 50): "right-leg", (140, 70): "left-leg",
    }  # fmt: skip
    assert {place: labels[place] for place in expected} == {p: ID[name] for p, name in expected.items()}
    assert labels[5, 2] == UNKNOWN  # far from every part


def test_without_a_pose_skin_is_unknown_and_clothes_are_known():
    ids = np.array([[CCP_NAMES.index(n) for n in ("skin", "shoes", "jeans", "purse", "null")]], np.uint8)
    assert map_ccp(ids, None).tolist() == [[UNKNOWN, UNKNOWN, ID["pants"], BAG, 0]]


def test_small_things_take_the_label_around_them():
    ids = np.zeros((9, 9), np.uint8)
    ids[:5] = CCP_NAMES.index("blouse")
    ids[5:] = CCP_NAMES.index("jeans")
    ids[6, 2:7] = CCP_NAMES.index("belt")
    labels = map_ccp(ids, None)
    assert (labels[6] == ID["pants"]).all()


def test_a_vest_over_a_shirt_is_a_coat():
    vest, shirt = CCP_NAMES.index("vest"), CCP_NAMES.index("shirt")
    assert map_ccp(np.array([[vest, vest]], np.uint8), None)[0, 0] == ID["upper-clothes"]
    assert map_ccp(np.array([[vest, shirt]], np.uint8), None)[0, 0] == ID["coat"]


def test_split_is_fixed():
    names = [f"{n:04d}" for n in range(1, 925)]
    test = held_out(names)
    assert len(test) == 100 and test == sorted(test)
    assert held_out(list(reversed(names))) == test
    assert set(held_out(names[:-1])) >= set(test) - {"0924"}  # a photo less moves no other


def test_flip_swaps_left_and_right():
    example = drawn()
    flipped = flip_example(example)
    assert (flipped.labels == ID["right-arm"]).sum() == (example.labels == ID["left-arm"]).sum()
    assert not (flipped.labels == ID["left-arm"]).any()
    wrist = flipped.keypoints[KEYPOINT_NAMES.index("right_wrist")]
    assert wrist.tolist() == [119 - 88, 98, 1]
    again = flip_example(flipped)
    assert np.array_equal(again.labels, example.labels) and np.array_equal(again.image, example.image)
    assert np.allclose(again.keypoints, example.keypoints)


def test_frames_keep_picture_labels_and_points_together():
    example = drawn()
    matrix = frame_matrix(person_box(example.alpha, example.keypoints), (256, 192), 0.1, angle=12)
    warped = warp_example(example, matrix, (256, 192))
    inner = cv2.erode((warped.labels == ID["upper-clothes"]).astype(np.uint8), np.ones((5, 5))) > 0
    assert inner.sum() > 500
    assert (np.abs(warped.image[inner].astype(int) - (250, 0, 0)) < 12).all()
    assert (warped.labels == UNKNOWN).any() and (warped.image[warped.labels == UNKNOWN] == 127).mean() > 0.9
    elbow = warped.keypoints[KEYPOINT_NAMES.index("left_elbow"), :2].round().astype(int)
    assert warped.labels[elbow[1], elbow[0]] == ID["left-arm"]


def test_the_box_leaves_passers_by_out():
    example = drawn()
    alpha = np.zeros((200, 120), np.uint8)
    alpha[20:190, 30:90] = 255
    alpha[10:60, 0:10] = 255  # somebody else
    x, y, w, h = person_box(alpha, example.keypoints)
    assert (x, y, w, h) == (30, 20, 60, 170)
    assert person_box(np.zeros((8, 6), np.uint8), np.zeros((18, 3), np.float32)) == (0, 0, 6, 8)


def test_heatmaps_peak_at_the_points():
    maps = heatmaps(standing().keypoints, (200, 120))
    assert maps.shape == (7, 200, 120) and maps.dtype == np.float32
    assert maps[3, 98, 88] == maps[3, 98, 32] == 1  # both wrists
    assert maps.min() >= 0 and maps.max() == 1
    assert heatmaps(np.zeros((18, 3), np.float32), (32, 32)).max() == 0


def test_network_input_is_normalised():
    x = network_input(np.full((32, 32, 3), 127, np.uint8), np.full((32, 32), 255, np.uint8), standing().keypoints)
    assert x.shape == (11, 32, 32) and x.dtype == np.float32
    assert (x[:3] == 0).all() and (x[3] == 1).all()


def test_augmentation_is_decided_by_its_generator():
    example = drawn()
    pictures = [augment(example, (96, 64), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(pictures[0].image, pictures[1].image)
    assert np.array_equal(pictures[0].labels, pictures[1].labels)
    assert not np.array_equal(pictures[0].image, pictures[2].image)
    for picture in pictures:
        assert picture.image.shape == (96, 64, 3) and picture.image.dtype == np.uint8
        assert set(np.unique(picture.labels)) <= {0, BAG, ID["upper-clothes"], ID["left-arm"], ID["right-arm"], UNKNOWN}


@pytest.fixture
def ccp(tmp_path):
    """Six photos of the drawn person, prepared."""
    for folder in ("photos", "labels", "cache"):
        (tmp_path / folder).mkdir()
    (tmp_path / "labels.json").write_text(json.dumps(CCP_NAMES))
    example = drawn()
    ids = np.zeros((200, 120), np.uint8)
    ids[50:100, 45:75] = CCP_NAMES.index("blouse")
    ids[55:95, 78:86] = CCP_NAMES.index("skin")
    for n in range(6):
        Image.fromarray(example.image).save(tmp_path / "photos" / f"{n:04d}.jpg")
        Image.fromarray(ids).save(tmp_path / "labels" / f"{n:04d}.png")
        np.savez(
            tmp_path / "cache" / f"{n:04d}.npz",
            keypoints=example.keypoints, landmarks=np.zeros((33, 3), np.float32), alpha=example.alpha,
        )  # fmt: skip
    return tmp_path


def test_stream_is_the_same_each_time_and_shows_every_photo_once_an_epoch(ccp, monkeypatch):
    data = CCP(ccp, ccp / "cache")
    monkeypatch.setattr(CCP, "found", lambda self, name: (None, drawn().alpha))
    streams = [ParserStream(data, None, (64, 32), 3, 0.2, 9) for _ in range(2)]
    assert len(data.test) == len(data.train) == 3 and not set(data.test) & set(data.train)
    order = [streams[0].item(p) for p in range(9)]
    assert [sorted(n for e, n in order if e == epoch) for epoch in range(3)] == [[0, 1, 2]] * 3
    for position in (7, 1):  # in any order
        for a, b in zip(streams[0][position], streams[1][position], strict=True):
            assert np.array_equal(a, b)
    x, classes = streams[0][0]
    assert x.shape == (11, 64, 32) and classes.shape == (64, 32) and classes.dtype == np.uint8


def test_what_is_not_ccp_is_told(tmp_path):
    with pytest.raises(InputError, match="labels.json"):
        CCP(tmp_path, tmp_path)
    with pytest.raises(InputError, match="nothing to train on"):
        ParserStream(None, None, (64, 32), 0, 0.2, 1)
