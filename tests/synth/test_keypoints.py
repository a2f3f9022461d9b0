from dataclasses import replace

import numpy as np
import pytest

from vto_utils.pose import KEYPOINT_NAMES
from vto_utils.synth.body import Shape, load_body, skin
from vto_utils.synth.keypoints import crown, keypoints, radii, visibility
from vto_utils.synth.pose_sampling import sample_pose
from vto_utils.synth.poses import PoseSpec, mirrored, rotations
from vto_utils.synth.seeds import stream

AT = {name: k for k, name in enumerate(KEYPOINT_NAMES)}
PAIRS = [(AT[f"right_{part}"], AT[f"left_{part}"]) for part in (
    "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear",
)]  # fmt: skip


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def nodes(body):
    return body.nodes(Shape())


def points_of(body, nodes, spec):
    posed = body.pose(nodes, rotations(spec))
    return keypoints(body, skin(nodes[: body.count], posed, body.weight_bones, body.weights), posed)


def test_the_rest_pose_has_eighteen_points_in_order(body, nodes):
    posed = body.pose(nodes, {})
    points = keypoints(body, nodes[: body.count], posed)
    assert points.shape == (18, 3) and points.dtype == np.float32
    for right, left in PAIRS:
        assert points[right, 0] < -0.2 < 0.2 < points[left, 0]  # the person's own left has x > 0
        np.testing.assert_allclose(points[right] * (-1, 1, 1), points[left], atol=0.02)
    height = points[:, 1]
    for upper, lower in (
        ("left_eye", "nose"), ("nose", "neck"), ("neck", "left_elbow"), ("left_shoulder", "left_elbow"),
        ("left_elbow", "left_wrist"), ("neck", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ):  # fmt: skip
        assert height[AT[upper]] > height[AT[lower]], (upper, lower)
    np.testing.assert_allclose(points[1], (points[2] + points[5]) / 2, atol=1e-5)
    np.testing.assert_allclose(points[[0, 1], 0], 0, atol=0.02)


def test_the_face_is_in_front_of_the_ears_and_the_ears_at_the_sides(body, nodes):
    points = keypoints(body, nodes[: body.count], body.pose(nodes, {}))
    nose, eye, ear = points[AT["nose"]], points[AT["left_eye"]], points[AT["left_ear"]]
    assert nose[2] > eye[2] > ear[2] + 0.5
    assert ear[0] > eye[0] + 0.2
    assert abs(ear[1] - (nose[1] + eye[1]) / 2) < 0.3
    assert nodes[crown(body), 1] == nodes[: body.count, 1].max()


def test_limb_points_are_the_joints_and_shoulders_a_little_above(body, nodes):
    spec = sample_pose(stream(0, 1, "pose"))
    posed = body.pose(nodes, rotations(spec))
    points = points_of(body, nodes, spec)
    for name, bone in (
        ("left_elbow", "lowerarm01.L"), ("right_wrist", "wrist.R"), ("left_hip", "upperleg01.L"),
        ("right_knee", "lowerleg01.R"), ("left_ankle", "foot.L"),
    ):  # fmt: skip
        np.testing.assert_allclose(points[AT[name]], posed.joints[body.bone[bone]], atol=1e-5)
    shoulder = points[AT["left_shoulder"]] - posed.joints[body.bone["upperarm01.L"]]
    assert 0.1 < shoulder[1] < 0.4


def test_a_mirrored_pose_swaps_left_and_right(body, nodes):
    spec = sample_pose(stream(0, 2, "pose"))
    here, there = points_of(body, nodes, spec), points_of(body, nodes, mirrored(spec))
    swapped = there.copy()
    for right, left in PAIRS:
        swapped[[right, left]] = there[[left, right]]
    np.testing.assert_allclose(here * (-1, 1, 1), swapped, atol=0.02)


def test_the_head_turns_its_points_with_it(body, nodes):
    straight = points_of(body, nodes, PoseSpec())
    turned = points_of(body, nodes, replace(PoseSpec(), head_yaw=40.0))
    assert turned[0, 0] > straight[0, 0] + 0.4  # to the own left
    np.testing.assert_allclose(turned[1:14], straight[1:14], atol=1e-5)


def test_visibility_by_a_made_up_depth_picture():
    depth = np.zeros((20, 30), np.float32)  # nothing but
    depth[5:15, 5:15] = 40.0  # a plate
    depth[10:15, 10:15] = 37.0  # with something before it
    thick = np.full(7, 0.5)
    points = np.array(
        [
            [7.5, 7.5, 40.4],  # just behind the surface: its own limb
            [7.5, 7.5, 41.5],  # deep behind it: hidden
            [12.5, 12.5, 40.4],  # behind the thing
            [25.0, 3.0, 40.0],  # in front of nothing
            [-0.5, 3.0, 40.0],  # outside
            [29.99, 19.99, 40.0],  # the last pixel
            [30.0, 10.0, 40.0],  # outside
        ]
    )
    expected = [True, False, False, True, False, True, False]
    assert visibility(points, depth, thick).tolist() == expected
    depth[depth == 0] = np.inf
    assert visibility(points, depth, thick).tolist() == expected
    thick[1] = 1.4
    assert visibility(points, depth, thick)[1]


def test_radii_follow_the_body(body, nodes):
    thin, heavy = (radii(body, body.nodes(Shape(gender=1.0, weight=weight))) for weight in (0.0, 1.0))
    assert thin.shape == (18,) and (thin > 0.2).all()
    assert heavy[AT["left_hip"]] > thin[AT["left_hip"]] + 0.05
    np.testing.assert_allclose(thin[2:5], thin[5:8], atol=1e-3)
