import json
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from vto_utils.synth.body import Shape, load_body
from vto_utils.synth.contact import collides
from vto_utils.synth.pose_sampling import ARM_KINDS, draw_pose, sample_pose
from vto_utils.synth.poses import ARM_LIMITS, LEG_LIMITS, TRUNK_LIMITS, Arm, Leg, PoseSpec, mirrored, rotations
from vto_utils.synth.seeds import stream

MIRROR = np.array([-1, 1, 1])
THIN = Shape(gender=0.0, weight=0.0, muscle=0.3)
HEAVY = Shape(gender=1.0, weight=1.0, muscle=0.4)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def nodes(body):
    return body.nodes(Shape())


def joints(body, nodes, spec):
    posed = body.pose(nodes, rotations(spec))
    return {name: posed.joints[k].astype(float) for name, k in body.bone.items()}


def angle(a, b):
    return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def draws(body, shape, count, category="upper_body"):
    nodes = body.nodes(shape)
    return nodes, [draw_pose(stream(3, k, "pose"), body, nodes, category) for k in range(count)]


def test_the_same_stream_gives_the_same_pose_and_another_another(body, nodes):
    one, posed = draw_pose(stream(0, 5, "pose"), body, nodes)
    two, again = draw_pose(stream(0, 5, "pose"), body, nodes)
    other, _ = draw_pose(stream(0, 6, "pose"), body, nodes)
    assert one == two and one != other
    np.testing.assert_array_equal(posed.joints, again.joints)
    assert sample_pose(stream(0, 5, "pose")) == sample_pose(stream(0, 5, "pose"))


def test_a_pose_is_json_and_its_rotations_are_rotations_of_bones(body):
    for k in range(10):
        spec = sample_pose(stream(1, k, "pose"))
        assert json.loads(json.dumps(asdict(spec)))["left_arm"]["kind"] == spec.left_arm.kind
        turns = rotations(spec)
        assert set(turns) <= set(body.bone)
        stack = np.stack(list(turns.values()))
        assert stack.dtype == np.float64
        np.testing.assert_allclose(stack @ stack.transpose(0, 2, 1), np.eye(3)[None].repeat(len(stack), 0), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(stack), 1, atol=1e-9)


def test_a_mirrored_pose_gives_mirrored_joints(body, nodes):
    for k in range(5):
        spec = sample_pose(stream(2, k, "pose"), "dresses")
        here, there = joints(body, nodes, spec), joints(body, nodes, mirrored(spec))
        for name, point in here.items():
            other = name[:-1] + {"L": "R", "R": "L"}[name[-1]] if name.endswith((".L", ".R")) else name
            # the body's own neck is 0.002 dm off the middle
            np.testing.assert_allclose(point * MIRROR, there[other], atol=0.01, err_msg=name)
    assert mirrored(mirrored(spec)) == spec


def test_with_all_angles_zero_arms_and_legs_hang_straight_and_palms_face_the_thighs(body, nodes):
    arm = Arm(abduction=0, flexion=0, turn=0, elbow=0, pronation=0)
    at = joints(body, nodes, PoseSpec(left_arm=arm, right_arm=arm, left_leg=Leg(toes=0), right_leg=Leg(toes=0)))
    for side, sign in (("L", 1), ("R", -1)):
        for start, end in (("upperarm01", "lowerarm01"), ("lowerarm01", "wrist"), ("upperleg01", "lowerleg01")):
            assert angle(at[f"{end}.{side}"] - at[f"{start}.{side}"], np.array([0, -1.0, 0])) < 1.5
        thumb = at[f"finger1-1.{side}"] - at[f"wrist.{side}"]
        index_to_little = at[f"finger5-1.{side}"] - at[f"finger2-1.{side}"]
        assert thumb[2] > 0.2 and index_to_little[2] < -0.4  # thumb in front
        assert abs(index_to_little[0]) < 0.2
        assert at[f"wrist.{side}"][0] * sign > 1


@pytest.mark.parametrize("side", ["left", "right"])
def test_each_angle_moves_the_limb_as_it_is_named(body, nodes, side):
    letter = side[0].upper()
    out = 1.0 if side == "left" else -1.0
    hang = Arm(abduction=0, flexion=0, turn=0, elbow=0, pronation=0)

    def wrist(**angles):
        at = joints(body, nodes, PoseSpec(**{f"{side}_arm": replace(hang, **angles)}))
        return at[f"wrist.{letter}"] - at[f"upperarm01.{letter}"]

    assert wrist(abduction=50)[0] * out > 2
    assert wrist(flexion=50)[2] > 2
    bent = wrist(elbow=90)
    assert bent[2] > 2 and abs(bent[0]) < 0.3  # forwards, not backwards or to the side
    assert wrist(elbow=90, turn=60)[0] * out < -1  # in front of the belly
    one = joints(body, nodes, PoseSpec(**{f"{side}_arm": replace(hang, pronation=70)}))
    assert (one[f"finger1-1.{letter}"] - one[f"wrist.{letter}"])[0] * out < -0.2  # thumb inwards
    at = joints(body, nodes, PoseSpec(**{f"{side}_leg": Leg(flexion=30, knee=60)}))
    assert at[f"lowerleg01.{letter}"][2] > at[f"upperleg01.{letter}"][2] + 1
    assert at[f"foot.{letter}"][2] < at[f"lowerleg01.{letter}"][2] - 1


def test_trunk_and_head_turn_as_they_are_named(body, nodes):
    rest = joints(body, nodes, PoseSpec())
    assert joints(body, nodes, PoseSpec(lean=10))["neck01"][0] < rest["neck01"][0] - 0.3  # to the own right
    assert joints(body, nodes, PoseSpec(bend=10))["neck01"][2] > rest["neck01"][2] + 0.3
    turned = joints(body, nodes, PoseSpec(yaw=30))
    assert turned["upperarm01.L"][2] < turned["upperarm01.R"][2] - 1  # the left shoulder goes back
    tilted = joints(body, nodes, PoseSpec(pelvis=5))
    assert tilted["upperleg01.L"][1] > tilted["upperleg01.R"][1] + 0.1


def test_the_kinds_of_arms_have_their_shares():
    arms = Counter()
    for k in range(350):
        spec = sample_pose(stream(4, k, "pose"))
        arms.update(arm.kind.removesuffix(" over") for arm in (spec.left_arm, spec.right_arm))
    assert set(arms) <= set(ARM_KINDS)
    total = sum(arms.values())
    for kind, share in ARM_KINDS.items():
        expected = share / sum(ARM_KINDS.values())
        assert abs(arms[kind] / total - expected) < 3.5 * np.sqrt(expected / total) * 1.4, kind
    assert 0.05 < (arms["crossed"] + arms["clasped"] + arms["front"]) / total < 0.16


def test_dresses_have_no_pockets():
    kinds = [sample_pose(stream(5, k, "pose"), "dresses") for k in range(60)]
    assert not any("pocket" in (spec.left_arm.kind, spec.right_arm.kind) for spec in kinds)


@pytest.mark.parametrize("shape", [THIN, HEAVY], ids=["thin", "heavy"])
def test_draws_are_free_of_collisions_and_within_limits(body, shape):
    nodes, poses = draws(body, shape, 40)
    for spec, posed in poses:
        assert not collides(body, nodes, posed)
        for part, limits in ((spec, TRUNK_LIMITS), (spec.left_arm, ARM_LIMITS), (spec.right_leg, LEG_LIMITS)):
            for name, (least, most) in limits.items():
                assert least <= getattr(part, name) <= most, name


def test_yaw_is_spread_as_in_catalogues():
    yaws = np.array([sample_pose(stream(6, k, "pose")).yaw for k in range(150)])
    assert abs(yaws.mean()) < 4 and 10 < yaws.std() < 18 and np.abs(yaws).max() <= 40


def test_arms_inside_the_body_and_crossed_legs_are_found(body, nodes):
    free = PoseSpec(left_arm=Arm(abduction=25), right_arm=Arm(abduction=25))
    into = Arm(abduction=-25, elbow=90, turn=90, flexion=0)
    assert not collides(body, nodes, body.pose(nodes, rotations(free)))
    assert collides(body, nodes, body.pose(nodes, rotations(replace(free, left_arm=into))))
    assert collides(body, nodes, body.pose(nodes, rotations(replace(free, right_arm=into))))
    legs = Leg(abduction=-15)
    assert collides(body, nodes, body.pose(nodes, rotations(replace(free, left_leg=legs, right_leg=legs))))


def test_a_heavier_body_has_its_arms_further_out(body):
    out = []
    for shape in (THIN, HEAVY):
        _, poses = draws(body, shape, 40)
        out.append(np.mean([spec.left_arm.abduction for spec, _ in poses if spec.left_arm.kind == "down"]))
    assert out[1] > out[0] + 2


def test_feet_stand_on_one_floor(body, nodes):
    for k in range(20):
        spec, posed = draw_pose(stream(7, k, "pose"), body, nodes, "dresses")
        left, right = (posed.joints[body.bone[f"foot.{side}"]][1] for side in "LR")
        raised = [np.sin(np.radians(max(leg.heel, 0))) * 1.5 for leg in (spec.left_leg, spec.right_leg)]
        assert abs((left - raised[0]) - (right - raised[1])) < 0.1


def test_a_hand_on_the_hip_lies_on_the_hip_of_any_body(body):
    for shape in (THIN, HEAVY):
        nodes = body.nodes(shape)
        found = 0
        for k in range(60):
            spec, posed = draw_pose(stream(8, k, "pose"), body, nodes)
            if spec.left_arm.kind != "hip":
                continue
            found += 1
            knuckle = posed.joints[body.bone["finger3-1.L"]]
            hip = posed.joints[body.bone["upperleg01.L"]]
            assert np.linalg.norm(knuckle - hip) < 2.2
        assert found
