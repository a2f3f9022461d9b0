from __future__ import annotations

import numpy as np
import pytest
from drawn_people import CCP_NAMES, standing

from vto_utils.errors import InputError
from vto_utils.labels import ID
from vto_utils.parser_training.ccp import CCP, held_out
from vto_utils.parser_training.ccp_labels import CCP_TO_CIHP, map_ccp
from vto_utils.parser_training.examples import BAG, UNKNOWN


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


def test_what_is_not_ccp_is_told(tmp_path):
    with pytest.raises(InputError, match="labels.json"):
        CCP(tmp_path, tmp_path)
    (tmp_path / "labels.json").write_text('["null", "feather"]')
    with pytest.raises(InputError, match="feather"):
        CCP(tmp_path, tmp_path)
    (tmp_path / "labels.json").write_text('["null", "skin"]')
    with pytest.raises(InputError, match="no .png"):
        CCP(tmp_path, tmp_path)
