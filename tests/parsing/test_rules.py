from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from samples import PEOPLE, mirrored_labels, mirrored_pose, person

from vto_utils import labels
from vto_utils.body import BodyFrame
from vto_utils.errors import NoPersonError
from vto_utils.parsing.rules import RuleParser
from vto_utils.pose import Pose


@cache
def parsed(name: str) -> np.ndarray:
    found = person(name)
    return RuleParser().parse(found.image, found.mask, found.pose)


def label_at(parsing: np.ndarray, point: np.ndarray) -> str:
    x, y = np.round(point).astype(int)
    return labels.NAMES[parsing[y, x]]


@pytest.mark.parametrize("name", PEOPLE)
def test_labels_lie_on_the_person(name: str) -> None:
    found = person(name)
    parsing, mask = parsed(name), found.mask
    assert parsing.shape == mask.shape == found.image.size[::-1] and parsing.dtype == np.uint8
    assert parsing.max() < len(labels.NAMES)
    assert not parsing[mask < 128].any()
    assert (parsing[mask >= 128] > 0).mean() > 0.97


@pytest.mark.parametrize("name", PEOPLE)
def test_labels_at_known_places(name: str) -> None:
    found = person(name)
    parsing, pose = parsed(name), found.pose
    frame = BodyFrame.from_pose(pose)
    assert label_at(parsing, pose.point("nose")) == "face"
    assert label_at(parsing, frame.eyes + 1.3 * (frame.eyes - frame.mouth)) == "hair"
    free = ((0.25, 0.2), (0.8, 0.0), (0.8, 0.2)) if name == "person_2" else ((0.3, 0.0), (0.5, 0.2), (0.7, 0.2))
    for along, sideways in free:  # person_2 holds a forearm in between
        assert label_at(parsing, frame.place(along, sideways)) == "upper-clothes"
    for side in ("left", "right"):
        hip, knee = pose.point(f"{side}_hip"), pose.point(f"{side}_knee")
        thigh = hip + min(0.4, (505 - hip[1]) / (knee[1] - hip[1])) * (knee - hip)  # the photo may end before
        assert label_at(parsing, thigh) == "pants"
        assert label_at(parsing, pose.point(f"{side}_wrist")) == f"{side}-arm"
    downwards = ("hair", "face", "upper-clothes", "pants")
    tops = [np.flatnonzero((parsing == labels.ID[kind]).any(1)).min() for kind in downwards]
    assert tops == sorted(tops)


def test_labels_of_one_person_only() -> None:
    bare, long = person("person_3"), person("person_2")
    for side in ("left", "right"):
        elbow = bare.pose.point(f"{side}_elbow")
        assert label_at(parsed("person_3"), elbow) == f"{side}-arm"
        foot = bare.pose.landmarks[31 if side == "left" else 32, :2]
        assert label_at(parsed("person_3"), foot) == f"{side}-shoe"
        assert label_at(parsed("person_2"), long.pose.point(f"{side}_elbow")) == "upper-clothes"
    assert not labels.select(parsed("person_2"), labels.SHOES).any()  # the photo ends at the thighs


@pytest.mark.parametrize("name", ["person_1", "person_3"])
def test_left_labels_lie_on_the_persons_left(name: str) -> None:
    parsing = parsed(name)
    for kind in ("arm", "shoe"):
        left, right = (np.nonzero(parsing == labels.ID[f"{side}-{kind}"])[1] for side in ("left", "right"))
        if kind == "arm" or name == "person_3":
            assert left.min() > right.max()


@pytest.mark.parametrize("name", PEOPLE)
def test_flipping_the_photo_swaps_left_and_right(name: str) -> None:
    found = person(name)
    image = np.ascontiguousarray(np.asarray(found.image)[:, ::-1])
    mask = np.ascontiguousarray(found.mask[:, ::-1])
    flipped = RuleParser().parse(image, mask, mirrored_pose(found.pose, image.shape[1]))
    assert (flipped == mirrored_labels(parsed(name)))[mask > 127].mean() > 0.98


@pytest.mark.parametrize("name", PEOPLE)
def test_pose_without_landmarks(name: str) -> None:
    found = person(name)
    parsing = RuleParser().parse(found.image, found.mask, Pose(found.pose.keypoints))
    assert (parsing == parsed(name))[found.mask > 127].mean() > 0.8


def test_parsing_is_the_same_at_every_size() -> None:
    found = person("person_2")
    large = found.image.resize((768, 1024))
    mask = cv2.resize(found.mask, (768, 1024), interpolation=cv2.INTER_LINEAR)
    parsing = RuleParser().parse(large, mask, found.pose.scaled(2))
    assert parsing.shape == (1024, 768)
    assert not parsing[mask < 128].any()
    assert (parsing[::2, ::2] == parsed("person_2")).mean() > 0.97


def test_parsing_needs_a_mask_of_the_photos_size_and_shoulders() -> None:
    found = person("person_1")
    with pytest.raises(ValueError, match="same size"):
        RuleParser().parse(found.image, found.mask[:-1], found.pose)
    keypoints = found.pose.keypoints.copy()
    keypoints[[2, 5], 2] = 0.1
    with pytest.raises(NoPersonError, match="shoulders"):
        RuleParser().parse(found.image, found.mask, replace(found.pose, keypoints=keypoints))
