from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from samples import PEOPLE, mirrored_labels, mirrored_pose, person, tryon

from vto_utils import labels
from vto_utils.errors import NoPersonError
from vto_utils.parsing import BodyFrame, PersonParser, arm_chain, capsule, enlarge_labels, leg_chain
from vto_utils.pose import KEYPOINT_NAMES, Pose


def standing(tilt: float = 0.0, lean: float = 15.0, shoulder: float = 60.0) -> Pose:
    """A pose without landmarks: shoulders turned by ``tilt`` degrees, the pelvis ``lean`` pixels aside."""
    angle = np.radians(tilt)
    half = np.array([np.cos(angle), np.sin(angle)]) * shoulder
    neck, pelvis = np.array([200.0, 150.0]), np.array([200.0 + lean, 320.0])
    places = {
        "nose": (200, 80), "right_eye": (190, 68), "left_eye": (210, 68), "right_ear": (178, 72), "left_ear": (222, 72),
        "neck": neck, "right_shoulder": neck - half, "left_shoulder": neck + half,
        "right_elbow": (120, 240), "right_wrist": (115, 320), "left_elbow": (280, 240), "left_wrist": (285, 320),
        "right_hip": pelvis - [35, 0], "left_hip": pelvis + [35, 0],
        "right_knee": pelvis + [-40, 150], "left_knee": pelvis + [40, 150],
        "right_ankle": pelvis + [-40, 290], "left_ankle": pelvis + [40, 290],
    }  # fmt: skip
    return Pose(np.float32([[*places[name], 1] for name in KEYPOINT_NAMES]))


def without(pose: Pose, *names: str) -> Pose:
    keypoints = pose.keypoints.copy()
    keypoints[[KEYPOINT_NAMES.index(name) for name in names], 2] = 0
    return Pose(keypoints)


def label_at(parsing: np.ndarray, point: np.ndarray) -> str:
    x, y = np.round(point).astype(int)
    return labels.NAMES[parsing[y, x]]


# The frame ------------------------------------------------------------------------------------------------


def test_frame_of_an_upright_person() -> None:
    frame = BodyFrame.from_pose(standing(lean=0))
    assert frame.neck.tolist() == [200, 150] and frame.pelvis.tolist() == [200, 320]
    assert frame.torso == pytest.approx(170) and frame.breadth == pytest.approx(120)
    assert np.allclose(frame.down, [0, 1]) and np.allclose(frame.across, [1, 0])
    assert np.allclose(frame.eyes, [200, 68]) and frame.mouth[1] > 80
    assert frame.face == pytest.approx(np.linalg.norm(frame.mouth - frame.eyes))
    assert np.allclose(frame.place(0, 0), frame.neck) and np.allclose(frame.place(1, 0), frame.pelvis)
    assert np.allclose(frame.place(0, 0.5), frame.left_shoulder)
    assert np.allclose(frame.place(0.5, -0.25), [170, 235])


def test_frame_sideways_follows_shoulders_above_and_spine_below() -> None:
    frame = BodyFrame.from_pose(standing(tilt=12, lean=40))
    assert np.allclose(frame.place(0, 0.5), frame.left_shoulder, atol=1e-4)
    assert np.allclose(frame.place(-0.2, 0.3) - frame.place(-0.2, 0), 0.3 * frame.breadth * frame.shoulder_axis)
    assert np.allclose(frame.place(0.9, 0.3) - frame.place(0.9, 0), 0.3 * frame.breadth * frame.across)
    assert frame.down @ frame.across == pytest.approx(0, abs=1e-12)
    assert frame.across[0] > 0  # towards the person's left


@pytest.mark.parametrize("lean", [0, 30])
@pytest.mark.parametrize("tilt", [0, 10, -15])
def test_coordinates_are_the_inverse_of_place(tilt: float, lean: float) -> None:
    frame = BodyFrame.from_pose(standing(tilt, lean))
    along, sideways = frame.coordinates((460, 400))
    assert along.shape == sideways.shape == (460, 400) and along.dtype == sideways.dtype == np.float32
    ys, xs = np.mgrid[0:460, 0:400]
    error = np.linalg.norm(frame.place(along, sideways) - np.stack([xs, ys], -1), axis=-1)
    on_body = (np.abs(sideways) < 0.8) & (along > -0.4) & (along < 1.6)
    assert on_body.mean() > 0.2
    assert error[on_body].max() < 1e-3 * frame.torso


@pytest.mark.parametrize("name", PEOPLE)
def test_coordinates_on_people(name: str) -> None:
    frame = BodyFrame.from_pose(person(name).pose)
    along, sideways = frame.coordinates((512, 384))
    ys, xs = np.mgrid[0:512, 0:384]
    error = np.linalg.norm(frame.place(along, sideways) - np.stack([xs, ys], -1), axis=-1)
    assert error.max() < 1e-3 * frame.torso
    x, y = np.round(frame.left_shoulder).astype(int)
    assert along[y, x] == pytest.approx(0, abs=0.02) and sideways[y, x] > 0.4


def test_frame_scales_with_the_pose() -> None:
    frame, large = (BodyFrame.from_pose(standing(10).scaled(factor)) for factor in (1, 3))
    for name in ("neck", "pelvis", "eyes", "mouth", "torso", "breadth", "face"):
        assert np.allclose(getattr(large, name), 3 * np.asarray(getattr(frame, name)), rtol=1e-5)


def test_frame_of_a_person_from_the_side() -> None:
    frame = BodyFrame.from_pose(standing(shoulder=8))
    assert frame.breadth == pytest.approx(0.5 * frame.torso)
    assert frame.across[0] > 0.9


def test_frame_needs_shoulders_but_no_hips() -> None:
    with pytest.raises(NoPersonError, match="shoulders are not visible"):
        BodyFrame.from_pose(without(standing(), "left_shoulder"))
    frame = BodyFrame.from_pose(without(standing(lean=0), "left_hip", "right_hip"))
    assert frame.pelvis[0] == pytest.approx(200) and frame.pelvis[1] > 250
    assert np.isfinite(BodyFrame.from_pose(without(standing(), "nose", "left_eye", "right_eye")).eyes).all()


# Limbs ----------------------------------------------------------------------------------------------------


def test_capsule() -> None:
    distance = capsule(np.array([10.0, 20.0]), np.array([30.0, 20.0]), (4, 8), (40, 50))
    assert distance.shape == (40, 50)
    assert distance[20, 20] == 0 and distance[20, 10] == 0
    assert distance[24, 10] == pytest.approx(1) and distance[28, 30] == pytest.approx(1)
    assert distance[26, 20] == pytest.approx(1)  # half way the radius is 6
    assert distance[20, 46] == pytest.approx(2)  # round ends
    dot = capsule(np.array([5.0, 5.0]), np.array([5.0, 5.0]), (2, 2), (12, 12))
    assert dot[5, 9] == pytest.approx(2)


def test_arm_and_leg_chains() -> None:
    pose = standing()
    frame = BodyFrame.from_pose(pose)
    chain = arm_chain(pose, frame, "left")
    assert len(chain) == 4
    assert np.allclose(chain[:3], [pose.point(f"left_{j}") for j in ("shoulder", "elbow", "wrist")])
    assert (chain[3] - chain[2]) @ (chain[2] - chain[1]) > 0  # fingers go on from the forearm
    assert len(arm_chain(without(pose, "left_wrist"), frame, "left")) == 2
    assert len(arm_chain(without(pose, "left_elbow"), frame, "left")) == 1
    assert np.allclose(leg_chain(pose, "right"), [pose.point(f"right_{j}") for j in ("hip", "knee", "ankle")])
    assert leg_chain(without(pose, "right_hip"), "right") == []
    found = person("person_1").pose
    chain = arm_chain(found, BodyFrame.from_pose(found), "right")
    assert len(chain) == 4 and np.allclose(chain[0], found.point("right_shoulder"))
    assert len(leg_chain(found, "left")) == 4  # with landmarks also joints out of the photo


# Parsing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PEOPLE)
def test_labels_lie_on_the_person(name: str) -> None:
    found = person(name)
    parsing, mask = found.parsing, found.mask
    assert parsing.shape == mask.shape == found.image.size[::-1] and parsing.dtype == np.uint8
    assert parsing.max() < len(labels.NAMES)
    assert not parsing[mask < 128].any()
    assert (parsing[mask >= 128] > 0).mean() > 0.97


@pytest.mark.parametrize("name", PEOPLE)
def test_labels_at_known_places(name: str) -> None:
    found = person(name)
    parsing, pose = found.parsing, found.pose
    frame = BodyFrame.from_pose(pose)
    assert label_at(parsing, pose.point("nose")) == "face"
    assert label_at(parsing, frame.eyes + 1.3 * (frame.eyes - frame.mouth)) == "hair"
    for along, sideways in ((0.3, 0.0), (0.5, 0.2), (0.7, 0.2)):
        assert label_at(parsing, frame.place(along, sideways)) == "upper-clothes"
    for side in ("left", "right"):
        hip, knee = pose.point(f"{side}_hip"), pose.point(f"{side}_knee")
        thigh = hip + min(0.4, (505 - hip[1]) / (knee[1] - hip[1])) * (knee - hip)  # the photo may end before
        assert label_at(parsing, thigh) == "pants"
        assert label_at(parsing, pose.point(f"{side}_wrist")) == f"{side}-arm"
    rows = {name: np.flatnonzero((parsing == labels.ID[name]).any(1)) for name in ("hair", "face", "upper-clothes", "pants")}
    tops = [rows[name].min() for name in ("hair", "face", "upper-clothes", "pants")]
    assert tops == sorted(tops)


def test_labels_of_one_person_only() -> None:
    bare, long = person("person_3"), person("person_2")
    for side in ("left", "right"):
        elbow = bare.pose.point(f"{side}_elbow")
        assert label_at(bare.parsing, elbow) == f"{side}-arm"
        foot = bare.pose.landmarks[31 if side == "left" else 32, :2]
        assert label_at(bare.parsing, foot) == f"{side}-shoe"
        assert label_at(long.parsing, long.pose.point(f"{side}_elbow")) == "upper-clothes"
    assert not labels.select(long.parsing, labels.SHOES).any()  # the photo ends at the thighs


@pytest.mark.parametrize("name", ["person_1", "person_3"])
def test_left_labels_lie_on_the_persons_left(name: str) -> None:
    parsing = person(name).parsing
    for kind in ("arm", "shoe"):
        left, right = (np.nonzero(parsing == labels.ID[f"{side}-{kind}"])[1] for side in ("left", "right"))
        if kind == "arm" or name == "person_3":
            assert left.min() > right.max()


@pytest.mark.parametrize("name", PEOPLE)
def test_flipping_the_photo_swaps_left_and_right(name: str) -> None:
    found = person(name)
    image = np.ascontiguousarray(np.asarray(found.image)[:, ::-1])
    mask = np.ascontiguousarray(found.mask[:, ::-1])
    flipped = tryon().parser.parse(image, mask, mirrored_pose(found.pose, image.shape[1]))
    assert (flipped == mirrored_labels(found.parsing))[mask > 127].mean() > 0.98


@pytest.mark.parametrize("name", PEOPLE)
def test_pose_without_landmarks(name: str) -> None:
    found = person(name)
    parsing = tryon().parser.parse(found.image, found.mask, Pose(found.pose.keypoints))
    assert (parsing == found.parsing)[found.mask > 127].mean() > 0.8


def test_parsing_is_the_same_at_every_size() -> None:
    found = person("person_2")
    large = found.image.resize((768, 1024))
    mask = cv2.resize(found.mask, (768, 1024), interpolation=cv2.INTER_LINEAR)
    parsing = PersonParser().parse(large, mask, found.pose.scaled(2))
    assert parsing.shape == (1024, 768)
    assert not parsing[mask < 128].any()
    assert (parsing[::2, ::2] == found.parsing).mean() > 0.97


def test_parsing_needs_a_mask_of_the_photos_size_and_shoulders() -> None:
    found = person("person_1")
    with pytest.raises(ValueError, match="same size"):
        PersonParser().parse(found.image, found.mask[:-1], found.pose)
    keypoints = found.pose.keypoints.copy()
    keypoints[[2, 5], 2] = 0.1
    with pytest.raises(NoPersonError, match="shoulders"):
        PersonParser().parse(found.image, found.mask, replace(found.pose, keypoints=keypoints))


def test_enlarge_labels() -> None:
    small = np.zeros((24, 18), np.uint8)
    small[4:12, 3:15] = labels.ID["upper-clothes"]
    small[12:20, 3:9], small[12:20, 9:15] = labels.ID["left-leg"], labels.ID["right-leg"]
    mask = np.zeros((96, 72), np.uint8)
    mask[18:82, 14:58] = 255
    large = enlarge_labels(small, np.zeros((96, 72, 3), np.uint8), mask)
    assert large.shape == mask.shape and large.dtype == np.uint8
    assert set(np.unique(large)) == set(np.unique(small))
    assert not large[mask < 128].any()
    for row, column in ((8, 9), (16, 5), (16, 12)):
        assert (large[4 * row - 4 : 4 * row + 8, 4 * column - 4 : 4 * column + 8] == small[row, column]).all()
    inside = mask > 127
    same = large == np.repeat(np.repeat(small, 4, 0), 4, 1)
    assert same[inside].mean() > 0.9
