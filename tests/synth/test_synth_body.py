from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from vto_utils.synth.body import BODY_FILE, Body, Posed, Shape, load_body, rotation, skin

MIRROR = np.float32([-1, 1, 1])
SHAPES = (Shape(), Shape(gender=0.0, weight=0.0, muscle=0.3), Shape(gender=1.0, weight=1.0, age=0.8, height=0.9))


@pytest.fixture(scope="module")
def body():
    return load_body()


def descendants(body, name):
    found = {body.bone[name]}
    for k, parent in enumerate(body.parents):
        if parent in found:
            found.add(k)
    return sorted(found)


def posed_points(body, nodes, rotations):
    return skin(nodes[: body.count], body.pose(nodes, rotations), body.weight_bones, body.weights)


def winding(point, vertices, faces):
    """How many times a surface goes round a point (van Oosterom and Strackee 1983)."""
    a, b, c = (vertices[faces[:, k]].astype(np.float64) - point for k in range(3))
    la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
    volume = (a * np.cross(b, c)).sum(1)
    rest = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return np.arctan2(volume, rest).sum() / (2 * np.pi)


def test_the_file_ships_is_small_and_its_notice_names_the_licence():
    assert BODY_FILE.is_file() and BODY_FILE.stat().st_size < 10e6
    notice = (BODY_FILE.parent / "NOTICE").read_text(encoding="utf-8")
    assert "CC0" in notice and BODY_FILE.name in notice and "creativecommons.org/publicdomain/zero" in notice


def test_the_arrays_fit_together(body):
    assert body.faces.shape[1] == 3 and body.faces.dtype == np.int32
    for faces in (body.faces, body.cloth, body.eyes):
        assert faces.min() >= 0 and faces.max() < body.count
    assert len(body.texture_faces) == len(body.faces) and len(body.eye_texture_faces) == len(body.eyes)
    assert body.texture_faces.max() < len(body.texture)
    assert body.texture.min() >= 0 and body.texture.max() <= 1
    assert body.weights.shape == body.weight_bones.shape == (body.count, 4)
    np.testing.assert_allclose(body.weights.sum(1), 1, atol=1e-4)
    assert body.weight_bones.max() < len(body.bones) == len(body.parents) == len(body.bone)
    assert body.parents[0] == -1 and (body.parents[1:] < np.arange(1, len(body.bones))).all()
    assert (body.parents[1:] >= 0).all()
    assert load_body() is body
    np.testing.assert_array_equal(Body(Path(BODY_FILE)).vertices(Shape()), body.vertices(Shape()))


def test_the_space_is_the_documented_one(body):
    """Decimetres, x to the person's own left, y up, z to the front."""
    nodes = body.nodes(Shape())
    assert nodes.dtype == np.float32 and nodes.shape == (body.count + len(body.bones), 3)
    skin_points = body.vertices(Shape())[np.unique(body.faces)]
    assert 15 < np.ptp(skin_points[:, 1]) < 19  # a grown-up
    joint = {name: nodes[body.count + k] for name, k in body.bone.items()}
    assert joint["wrist.L"][0] > joint["lowerarm01.L"][0] > joint["upperarm01.L"][0] > 0.8
    assert joint["head"][1] > joint["neck01"][1] > joint["upperleg01.L"][1] > joint["foot.L"][1]
    head = np.unique(body.faces)[skin_points[:, 1] > joint["head"][1]]
    ahead = body.vertices(Shape())[head]
    assert ahead[:, 2].max() - joint["head"][2] > joint["head"][2] - ahead[:, 2].min()  # the nose is in front
    ball = body.vertices(Shape())[np.unique(body.eyes)]
    assert ball[:, 2].min() > joint["head"][2]


@pytest.mark.parametrize("shape", SHAPES)
def test_left_and_right_are_alike(body, shape):
    points = body.vertices(shape)[np.unique(body.faces)]
    distance, _ = cKDTree(points).query(points * MIRROR)
    assert np.percentile(distance, 99) < 0.02 and distance.max() < 0.1
    nodes = body.nodes(shape)[body.count :]
    for name, k in body.bone.items():
        if name.endswith(".L"):
            np.testing.assert_allclose(nodes[k], nodes[body.bone[name[:-1] + "R"]] * MIRROR, atol=0.03)


@pytest.mark.parametrize("shape", SHAPES)
def test_joints_lie_inside(body, shape):
    nodes = body.nodes(shape)
    outside = nodes[: body.count].max(0) + 1
    assert abs(winding(outside, nodes, body.faces)) < 0.05
    for name in ("spine05", "spine01", "neck01", "head", *(
        f"{bone}.{side}" for side in "LR"
        for bone in ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot")
    )):  # fmt: skip
        assert winding(nodes[body.count + body.bone[name]], nodes, body.faces) > 0.9, name


def test_targets_add_up_in_proportion(body):
    start = body.vertices(Shape())
    smile, jaw = (body.vertices(Shape(targets={name: 1.0})) - start for name in ("mouthSmileLeft", "jawOpen"))
    assert np.abs(smile).max() > 0.02 and np.abs(jaw).max() > 0.05
    for a, b in ((0.5, 0.0), (-0.3, 0.0), (0.4, 0.7)):
        mixed = body.vertices(Shape(targets={"mouthSmileLeft": a, "jawOpen": b}))
        np.testing.assert_allclose(mixed - start, a * smile + b * jaw, atol=2e-5)


def test_macro_sliders_mix_what_lies_at_their_ends(body):
    def at(**kind):
        return body.vertices(Shape(**{"gender": 0.0, **kind})).astype(np.float64)

    near = 5e-3  # arms are lengthened along themselves, which is not quite linear
    np.testing.assert_allclose(at(gender=0.25), 0.75 * at() + 0.25 * at(gender=1.0), atol=near)
    np.testing.assert_allclose(at(weight=0.75), (at() + at(weight=1.0)) / 2, atol=near)
    np.testing.assert_allclose(at(muscle=0.25), (at() + at(muscle=0.0)) / 2, atol=near)
    np.testing.assert_allclose(at(height=0.75), (at() + at(height=1.0)) / 2, atol=near)
    tall, short, plain = (np.ptp(at(height=h)[:, 1]) for h in (1.0, 0.0, 0.5))
    assert tall > plain + 1 > short + 2
    belly = np.abs(at()[np.unique(body.cloth), 1] - 1.2) < 0.5
    girth = [np.ptp(at(weight=w)[np.unique(body.cloth)][belly, 2]) for w in (0.0, 0.5, 1.0)]
    assert girth[0] < girth[1] < girth[2]
    pure = [at(origin=tuple(np.eye(3)[k])) for k in range(3)]
    np.testing.assert_allclose(at(), np.mean(pure, 0), atol=near)


def test_asking_does_not_change_the_body(body):
    start = body.vertices(Shape())
    body.vertices(Shape(targets={"jawOpen": 1.0}))[:] = 0
    np.testing.assert_array_equal(body.vertices(Shape()), start)


def test_unknown_names_are_errors(body):
    with pytest.raises(KeyError, match="wing"):
        body.nodes(Shape(targets={"wing": 0.5}))
    with pytest.raises(KeyError, match=r"tail\.L"):
        body.pose(body.nodes(Shape()), {"head": np.eye(3), "tail.L": np.eye(3)})
    assert "jawOpen" in body.target_names and "wing" not in body.target_names


@pytest.mark.parametrize(
    ("axis", "point", "expected"),
    [((0, 0, 1), (1, 0, 0), (0, 1, 0)), ((2, 0, 0), (0, 1, 0), (0, 0, 1)), ((0, 3, 0), (0, 0, 1), (1, 0, 0))],
)
def test_rotations_are_right_handed(axis, point, expected):
    np.testing.assert_allclose(rotation(axis, 90) @ point, expected, atol=1e-12)


def test_a_rotation_keeps_its_axis_and_lengths():
    axis = np.array([1.0, -2.0, 0.5])
    turn = rotation(axis, 37)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(turn @ axis, axis, atol=1e-12)
    assert np.trace(turn) == pytest.approx(1 + 2 * np.cos(np.deg2rad(37)))
    np.testing.assert_allclose(rotation(axis, 20) @ rotation(axis, 17), turn, atol=1e-12)


def test_no_rotation_leaves_everything_where_it_is(body):
    nodes = body.nodes(SHAPES[2])
    for rotations in ({}, {"head": np.eye(3), "upperarm01.L": np.eye(3)}):
        posed = body.pose(nodes, rotations)
        np.testing.assert_allclose(posed.joints, nodes[body.count :], atol=1e-5)
        moved = skin(nodes[: body.count], posed, body.weight_bones, body.weights)
        assert moved.dtype == np.float32
        np.testing.assert_allclose(moved, nodes[: body.count], atol=5e-4)  # stored weights sum to 1 within 1e-4


@pytest.mark.parametrize("name", ["lowerarm01.L", "head", "upperleg01.R", "spine01"])
def test_a_bone_moves_what_hangs_on_it_and_nothing_else(body, name):
    nodes = body.nodes(Shape())
    start, moved = posed_points(body, nodes, {}), posed_points(body, nodes, {name: rotation((1, 1, 0), 30)})
    share = (body.weights * np.isin(body.weight_bones, descendants(body, name))).sum(1)
    change = np.linalg.norm(moved - start, axis=1)
    np.testing.assert_array_equal(moved[share == 0], start[share == 0])
    wholly = share > 0.999
    assert wholly.sum() > 100
    pivot = nodes[body.count + body.bone[name]]
    off_axis = np.linalg.norm(np.cross(start - pivot, np.array([1, 1, 0]) / np.sqrt(2)), axis=1)
    np.testing.assert_allclose(change[wholly], 2 * np.sin(np.deg2rad(15)) * off_axis[wholly], atol=2e-3)


def test_turning_the_root_is_rigid(body):
    nodes = body.nodes(Shape())
    turn = rotation((0.3, 1, -0.2), 50)
    posed = body.pose(nodes, {"root": turn})
    moved = skin(nodes[: body.count], posed, body.weight_bones, body.weights)
    pivot = nodes[body.count + body.bone["root"]]
    np.testing.assert_allclose(moved, (nodes[: body.count] - pivot) @ turn.T + pivot, atol=2e-3)
    np.testing.assert_allclose(posed.joints, (nodes[body.count :] - pivot) @ turn.T + pivot, atol=1e-4)


def test_bones_keep_their_length_and_children_follow_their_parents(body):
    nodes = body.nodes(Shape())
    upper, lower = rotation((0, 0, 1), -40), rotation((0, 1, 0), 60)
    posed = body.pose(nodes, {"upperarm01.L": upper, "lowerarm01.L": lower})
    for k, parent in enumerate(body.parents):
        if parent >= 0:
            rest = np.linalg.norm(nodes[body.count + k] - nodes[body.count + parent])
            assert np.linalg.norm(posed.joints[k] - posed.joints[parent]) == pytest.approx(rest, abs=1e-4)
    shoulder, elbow, wrist = (body.bone[f"{name}.L"] for name in ("upperarm01", "lowerarm01", "wrist"))
    rest = nodes[body.count :]
    np.testing.assert_allclose(posed.joints[shoulder], rest[shoulder], atol=1e-5)
    expected = upper @ (rest[elbow] - rest[shoulder]) + rest[shoulder]
    np.testing.assert_allclose(posed.joints[elbow], expected, atol=1e-4)
    # a rotation is in the axes of the rest pose, then carried along by the parent's
    expected += upper @ lower @ (rest[wrist] - rest[elbow])
    np.testing.assert_allclose(posed.joints[wrist], expected, atol=1e-4)
    np.testing.assert_array_equal(posed.joints[body.bone["wrist.R"]], rest[body.bone["wrist.R"]])


def test_skinning_blends_linearly():
    posed = Posed(
        np.stack([np.eye(3), rotation((0, 0, 1), 90)]).astype(np.float32),
        np.float32([[0, 0, 0], [1, 0, 0]]),
        np.zeros((2, 3), np.float32),
    )
    points = np.float32([[2, 0, 0]] * 3)
    bones, shares = np.int32([[0, 1]] * 3), np.float32([[1, 0], [0, 1], [0.25, 0.75]])
    np.testing.assert_allclose(skin(points, posed, bones, shares), [[2, 0, 0], [1, 2, 0], [1.25, 1.5, 0]], atol=1e-6)
