from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from people import NETWORK, ColourNet, labels, photo, pose
from samples import mirrored_labels, mirrored_pose

from vto_utils.errors import InputError
from vto_utils.labels import ID
from vto_utils.networks.parser import ParserNet
from vto_utils.parsing import PersonParser
from vto_utils.parsing.network import NetworkParser, load_parser, save_parser


def iou(one: np.ndarray, other: np.ndarray, name: str) -> float:
    a, b = one == ID[name], other == ID[name]
    return (a & b).sum() / (a | b).sum()


def mask_of(ids: np.ndarray) -> np.ndarray:
    return np.where(ids > 0, 255, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def parser():
    return NetworkParser(ColourNet(), (256, 192), "cpu")


def enlarged(scale: float) -> np.ndarray:
    return cv2.resize(labels(), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize("scale", [0.25, 1.0, 2.5, 4.0])  # the last is larger than edges are followed at
def test_labels_lie_where_the_photo_has_them(parser, scale):
    ids = enlarged(scale)
    given = photo(ids), mask_of(ids)
    before = given[0].copy(), given[1].copy()
    said = parser.parse(*given, pose(scale))
    assert said.shape == ids.shape and said.dtype == np.uint8
    assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))
    least = 0.75 if scale < 1 else 0.9  # at a quarter a hand is four pixels wide
    for name in np.array(list(ID))[np.unique(ids)]:
        assert iou(said, ids, name) > least, name
    assert not said[ids == 0].any() and (said[ids > 0] > 0).all()


def test_borders_follow_the_photo(parser):
    """The network's answer is four pixels coarse, the labels are not."""
    ids = enlarged(2)
    said = parser.parse(photo(ids), mask_of(ids), pose(2))
    rows = slice(420, 660)
    border = np.flatnonzero(said[420, 200:300] == ID["pants"])
    assert border.size  # the waist is far above
    waist = [np.flatnonzero(said[:, x] == ID["pants"])[0] for x in range(180, 300)]
    assert np.abs(np.array(waist) - 392).max() <= 2
    assert (said[rows] == ids[rows]).mean() > 0.99


@pytest.mark.parametrize("wide", [False, True])
def test_a_person_anywhere_in_the_photo(parser, wide):
    """Small in a landscape, and partly outside a portrait."""
    canvas = np.zeros((500, 1200) if wide else (330, 200), np.uint8)
    x, y = (700, 60) if wide else (-70, -15)
    ids = labels()
    rows, columns = np.nonzero(ids)
    inside = (rows + y >= 0) & (columns + x >= 0) & (rows + y < canvas.shape[0]) & (columns + x < canvas.shape[1])
    canvas[rows[inside] + y, columns[inside] + x] = ids[rows[inside], columns[inside]]
    said = parser.parse(photo(canvas), mask_of(canvas), pose(x=x, y=y))
    assert said.shape == canvas.shape
    assert (said == canvas)[canvas > 0].mean() > 0.97 and not said[canvas == 0].any()


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (33, 5)])
def test_tiny_photos(parser, size):
    image = np.full((*size, 3), 128, np.uint8)
    for value in (0, 255):
        said = parser.parse(image, np.full(size, value, np.uint8), pose(0.1))
        assert said.shape == size and said.dtype == np.uint8 and said.any() <= value


def test_a_mirrored_photo_is_a_mirrored_answer(parser):
    ids = labels()
    ids[192:216, 168:184] = 0  # only the right hand is seen
    said = parser.parse(photo(ids), mask_of(ids), pose())
    assert (said == ID["right-arm"]).sum() > 300 and not (said == ID["left-arm"]).any()
    image, mask = photo(ids)[:, ::-1], mask_of(ids)[:, ::-1]
    mirrored = parser.parse(np.ascontiguousarray(image), np.ascontiguousarray(mask), mirrored_pose(pose(), 240))
    assert (mirrored == mirrored_labels(said)).mean() > 0.99
    assert (mirrored == ID["left-arm"]).sum() > 300 and not (mirrored == ID["right-arm"]).any()


def test_without_a_pose_there_is_an_answer(parser):
    ids = labels()
    said = parser.parse(photo(ids), mask_of(ids), None)
    assert iou(said, ids, "upper-clothes") > 0.9 and iou(said, ids, "left-arm") > 0.8
    assert not parser.parse(photo(ids), np.zeros_like(ids), pose()).any()  # nobody
    with pytest.raises(ValueError, match="same size"):
        parser.parse(photo(ids), mask_of(ids)[1:], pose())


def test_weights_come_back_with_their_size(tmp_path):
    torch.manual_seed(0)
    net = ParserNet(NETWORK)
    path = tmp_path / "p.safetensors"
    save_parser(path, net, (384, 288))
    back, size = load_parser(path)
    assert back.config == NETWORK and not back.training and size == (384, 288)
    for name, tensor in back.state_dict().items():
        assert torch.allclose(tensor, net.state_dict()[name], atol=1e-3), name
    assert NetworkParser.load(path, "cpu").size == (384, 288)
    state = safetensors.torch.load_file(path)
    metadata = {"config": json.dumps({"width": 16, "depths": [0, 0, 0, 0], "side_width": 16})}
    safetensors.torch.save_file(state, path, metadata=metadata)  # as the first files were
    assert load_parser(path)[1] == (256, 192)


@pytest.mark.parametrize("damage", ["missing", "nothing", "cut", "other", "size"])
def test_weights_that_cannot_be_used_are_told_in_one_sentence(tmp_path, damage):
    path = tmp_path / "p.safetensors"
    torch.manual_seed(0)
    save_parser(path, ParserNet(NETWORK), (100, 64) if damage == "size" else (64, 64))
    if damage == "missing":
        path.unlink()
    elif damage == "nothing":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "other":
        safetensors.torch.save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="missing" if damage == "missing" else "holds no parser") as told:
        PersonParser(weights=path)
    assert str(path) in str(told.value) and "\n" not in str(told.value)


def test_methods():
    with pytest.raises(InputError, match="magic"):
        PersonParser("magic")
