from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from samples import PEOPLE, mirrored_labels, mirrored_pose, person

from vto_utils import labels
from vto_utils.body import (
    ALONG,
    Body,
    BodyFrame,
    along_chain,
    arm_chain,
    capsule,
    leg_chain,
    leg_radii,
    limb_coordinates,
    outward_normals,
)
from vto_utils.errors import NoPersonError
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


@cache
def measured(name: str) -> Body:
    found = person(name)
    return Body.measure(found.pose, found.parsing)


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


def test_limb_coordinates_at_known_positions() -> None:
    chain = [np.array([20.0, 10.0]), np.array([20.0, 40.0]), np.array([60.0, 40.0])]  # down 30, then across 40
    distance, fraction = limb_coordinates(chain, (8, 6, 4), (60, 80))
    assert distance.shape == fraction.shape == (60, 80) and distance.dtype == fraction.dtype == np.float32
    for (x, y), (away, along) in {
        (20, 10): (0, 0),
        (20, 25): (0, 15 / 70),
        (27, 25): (7 / 7, 15 / 70),  # half way to the elbow the radius is 7
        (20, 40): (0, 30 / 70),
        (40, 50): (10 / 5, 50 / 70),
        (60, 40): (0, 1),
        (68, 40): (8 / 4, 1),  # past the wrist
        (20, 2): (8 / 8, 0),  # above the shoulder
    }.items():
        assert distance[y, x] == pytest.approx(away, abs=1e-4)
        assert fraction[y, x] == pytest.approx(along, abs=1e-4)
    assert fraction.min() >= 0 and fraction.max() <= 1


def test_limb_of_one_joint_covers_nothing() -> None:
    distance, fraction = limb_coordinates([np.array([5.0, 5.0])], (3,), (10, 10))
    assert distance.min() > 10 and not fraction.any()


def test_along_chain() -> None:
    chain = [np.array([0.0, 0.0]), np.array([0.0, 30.0]), np.array([40.0, 30.0])]
    points, directions = along_chain(chain, np.array([0.0, 0.2, 1.0, 1.5]))
    assert np.allclose(points, [[0, 0], [0, 14], [40, 30], [75, 30]])
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.allclose(directions[1:], [[0, 1], [1, 0], [1, 0]])
    bend = along_chain(chain, np.array([30 / 70]))[1][0]
    assert np.allclose(bend, [0.5**0.5, 0.5**0.5])  # half way between the two directions


def test_normals_point_away_from_the_body() -> None:
    down = np.array([[0.0, 1.0], [0.6, 0.8]])
    right, left = (outward_normals(down, side) for side in ("right", "left"))
    assert np.allclose(right[0], [-1, 0]) and np.allclose(left[0], [1, 0])
    assert np.allclose(right, -left) and np.allclose((right * down).sum(1), 0)


# The body measured ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PEOPLE)
def test_measures_of_people(name: str) -> None:
    body = measured(name)
    assert body.right_edge.shape == body.left_edge.shape == ALONG.shape
    for side in ("right", "left"):
        assert 0.3 < body.half_width(0.4, side) < 0.65
        chain, radii = body.arms[side]
        assert len(chain) == len(radii) == 3 and min(radii) > 0
        for joint, where in zip(("shoulder", "elbow", "wrist"), chain, strict=True):
            assert np.linalg.norm(where - body.pose.point(f"{side}_{joint}")) < 0.3 * body.frame.breadth
    assert 0.8 < body.waist < 1.3
    assert (np.diff(body.shoulder_rise) <= 0).all()  # shoulders fall outwards
    assert body.shoulder_top(0.1) < body.shoulder_top(0.55)
    assert leg_radii(body) == tuple(sorted(leg_radii(body), reverse=True))


def test_waist_is_where_the_lower_garment_begins() -> None:
    found = person("person_3")
    body = measured("person_3")
    for aside in (-0.1, 0.1):
        above, below = (body.frame.place(body.waist + step, aside) for step in (-0.06, 0.06))
        names = [labels.NAMES[found.parsing[round(y), round(x)]] for x, y in (above, below)]
        assert names == ["upper-clothes", "pants"]
    none = np.where(found.parsing == labels.ID["pants"], 0, found.parsing).astype(np.uint8)
    assert Body.measure(found.pose, none).waist is None


def test_half_width_follows_the_label_map() -> None:
    pose = standing(lean=0)
    frame = BodyFrame.from_pose(pose)
    parsing = np.zeros((640, 400), np.uint8)
    right, left = (round(200 + sign * half * frame.breadth) for sign, half in ((-1, 0.40), (1, 0.48)))
    parsing[140:330, right : left + 1] = labels.ID["upper-clothes"]
    keypoints = pose.keypoints.copy()  # arms held away from the body
    for side, sign in (("right", -1), ("left", 1)):
        shoulder = pose.point(f"{side}_shoulder")
        for joint, reach in (("elbow", 60), ("wrist", 120)):
            keypoints[KEYPOINT_NAMES.index(f"{side}_{joint}"), :2] = shoulder + [sign * reach, 0]
    body = Body.measure(Pose(keypoints), parsing)
    assert body.half_width(0.55, "right") == pytest.approx(0.40, abs=0.02)
    assert body.half_width(0.55, "left") == pytest.approx(0.48, abs=0.02)
    assert np.allclose(body.at(0.5, 0.3, "right"), frame.place(0.5, -0.3))
    assert np.allclose(body.at(0.5, 0.3, "left"), frame.place(0.5, 0.3))


@pytest.mark.parametrize("name", PEOPLE)
def test_scaled_body_is_the_body_measured_at_that_scale(name: str) -> None:
    found = person(name)
    half = cv2.resize(found.parsing, (192, 256), interpolation=cv2.INTER_NEAREST)
    scaled, small = measured(name).scaled(0.5), Body.measure(found.pose.scaled(0.5), half)
    assert np.allclose(scaled.frame.neck, small.frame.neck) and scaled.frame.torso == pytest.approx(small.frame.torso)
    for attribute in ("right_edge", "left_edge", "shoulder_rise"):
        assert np.abs(getattr(scaled, attribute) - getattr(small, attribute)).max() < 0.06
    assert scaled.waist == pytest.approx(small.waist, abs=0.05)
    for side in ("right", "left"):
        joints, radii = zip(scaled.arms[side], small.arms[side], strict=True)
        assert np.abs(np.subtract(*joints)).max() < 0.05 * small.frame.breadth
        assert np.allclose(*radii, rtol=0.15)


@pytest.mark.parametrize("name", PEOPLE)
def test_mirrored_person_has_the_mirrored_body(name: str) -> None:
    found, body = person(name), measured(name)
    mirrored = Body.measure(mirrored_pose(found.pose, 384), mirrored_labels(found.parsing))
    assert np.abs(mirrored.left_edge - body.right_edge).max() < 0.03
    assert np.abs(mirrored.right_edge - body.left_edge).max() < 0.03
    assert mirrored.waist == pytest.approx(body.waist, abs=0.03)
    for side, other in (("right", "left"), ("left", "right")):
        joints = np.array(mirrored.arms[other][0]) * [-1, 1] + [383, 0]
        assert np.abs(joints - np.array(body.arms[side][0])).max() < 0.03 * body.frame.breadth
