from __future__ import annotations

import numpy as np
import pytest
from people import pose
from samples import mirrored_pose

from vto_utils.parsing.sides import ARM_RADII, left_sides, limb_distance
from vto_utils.pose import KEYPOINT_NAMES, Pose


def test_distance_is_one_on_the_surface():
    distance = limb_distance([np.array([10.0, 10]), np.array([30.0, 10])], (4.0, 4.0), (20, 40))
    assert distance[10, 20] == 0 and distance[14, 20] == 1 and distance[10, 38] == 2
    bent = limb_distance([np.array([10.0, 10]), np.array([30.0, 10]), np.array([30.0, 30])], (4, 4, 2), (40, 40))
    assert bent[10, 20] == bent[25, 30] == 0
    assert (limb_distance([np.array([1.0, 1])], ARM_RADII, (4, 4)) == 99).all()


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_joints_lie_on_their_own_side(scale):
    person = pose(scale)
    arms, legs = left_sides(person, (round(400 * scale), round(240 * scale)))
    assert arms.dtype == bool and arms.shape == legs.shape == (round(400 * scale), round(240 * scale))
    for side in ("left", "right"):
        for joint, answer in (("elbow", arms), ("wrist", arms), ("knee", legs), ("ankle", legs)):
            x, y = person.point(f"{side}_{joint}").astype(int)
            assert answer[y, x] == (side == "left")


def test_crossed_arms_are_told_apart():
    points = pose().keypoints.copy()
    left, right = KEYPOINT_NAMES.index("left_wrist"), KEYPOINT_NAMES.index("right_wrist")
    points[left, :2], points[right, :2] = (96, 170), (144, 170)
    arms, _ = left_sides(Pose(points), (400, 240))
    assert arms[170, 96] and not arms[170, 144]


def test_a_mirrored_pose_gives_mirrored_sides():
    person = pose()
    for straight, mirrored in zip(
        left_sides(person, (400, 240)), left_sides(mirrored_pose(person, 240), (400, 240)), strict=True
    ):
        assert (mirrored[:, ::-1] == ~straight).mean() > 0.97


def test_without_a_pose_the_person_faces_the_camera():
    points = pose().keypoints.copy()
    points[:, 2] = 0
    for nobody in (None, Pose(points)):
        for answer in left_sides(nobody, (10, 8)):
            assert not answer[:, :4].any() and answer[:, 4:].all()
