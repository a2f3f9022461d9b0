"""The parser as it is shipped, on the sample people."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from samples import PEOPLE, mirrored_labels, mirrored_pose, person

from vto_utils import labels
from vto_utils.body import BodyFrame
from vto_utils.errors import InputError
from vto_utils.parsing import METHODS, PersonParser
from vto_utils.parsing.network import WEIGHTS, load_parser


@pytest.fixture(scope="module")
def parser():
    return PersonParser(device="cpu")


def test_the_weights_come_with_the_package():
    _, size = load_parser()
    assert WEIGHTS.stat().st_size < 12e6 and size[0] * 3 == size[1] * 4
    assert PersonParser().method == METHODS[0] == "network"


@pytest.mark.parametrize("name", PEOPLE)
def test_labels_lie_where_the_body_has_them(parser, name):
    found = person(name)
    parsing = parser.parse(found.image, found.mask, found.pose)
    frame = BodyFrame.from_pose(found.pose)
    places = {
        "face": found.pose.point("nose"),
        "hair": frame.eyes + 1.6 * (frame.eyes - frame.mouth),
        "upper-clothes": frame.place(0.25, 0.2),
        "pants": 0.7 * found.pose.point("left_hip") + 0.3 * found.pose.point("left_knee"),
        "left-arm": found.pose.point("left_wrist"),
        "right-arm": found.pose.point("right_wrist"),
    }
    for label, (x, y) in places.items():
        assert labels.NAMES[parsing[round(y), round(x)]] == label
    assert ((parsing > 0) == (found.mask > 127)).mean() > 0.99


@pytest.mark.parametrize("name", PEOPLE)
def test_a_mirrored_photo_is_a_mirrored_answer(parser, name):
    found = person(name)
    image, mask = np.asarray(found.image)[:, ::-1], found.mask[:, ::-1]
    pose = mirrored_pose(found.pose, image.shape[1])
    mirrored = parser.parse(np.ascontiguousarray(image), np.ascontiguousarray(mask), pose)
    straight = parser.parse(found.image, found.mask, found.pose)
    assert (mirrored == mirrored_labels(straight)).mean() > 0.99


def test_both_methods_answer(parser):
    found = person("person_1")
    rules = PersonParser("rules").parse(found.image, found.mask, found.pose)
    network = parser.parse(found.image, found.mask, found.pose)
    assert rules.shape == network.shape and rules.dtype == network.dtype == np.uint8
    assert 0.8 < (rules == network).mean() < 1


def test_a_machine_without_torch_is_told(monkeypatch):
    real = builtins.__import__

    def without_network(name, globals=None, locals=None, fromlist=(), level=0):
        if name == "network" and "NetworkParser" in fromlist:
            raise ImportError("libtorch.so: cannot open shared object file")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without_network)
    with pytest.raises(InputError, match="PyTorch.*libtorch.so.*'rules'"):
        PersonParser()
    assert PersonParser("rules").method == "rules"
