import json
from dataclasses import asdict

import numpy as np
import pytest

from vto_utils.synth.body import Shape, load_body, skin
from vto_utils.synth.cameras import Camera, Framing, camera, landmarks, sample_framing
from vto_utils.synth.keypoints import keypoints
from vto_utils.synth.pose_sampling import draw_pose
from vto_utils.synth.poses import PoseSpec, rotations
from vto_utils.synth.seeds import stream

CATEGORIES = ("upper_body", "lower_body", "dresses")


@pytest.fixture(scope="module")
def people():
    body = load_body()
    found = []
    for k, shape in enumerate((Shape(), Shape(gender=1.0, height=0.8), Shape(gender=0.0, weight=0.9))):
        nodes = body.nodes(shape)
        _, posed = draw_pose(stream(0, k, "pose"), body, nodes)
        found.append((body, skin(nodes[: body.count], posed, body.weight_bones, body.weights), posed))
    return found


def test_a_point_on_the_axis_is_at_the_principal_point_at_its_distance():
    lens = Camera((1.0, 2.0, 40.0), 900.0, (96.5, 120.25), (256, 192))
    np.testing.assert_allclose(lens.project([[1.0, 2.0, 0.0]]), [[96.5, 120.25, 40.0]], atol=1e-4)


def test_size_falls_with_distance_and_the_axes_point_right_and_up():
    lens = Camera((0.0, 0.0, 40.0), 800.0, (100.0, 100.0), (200, 200))
    points = lens.project([[1.0, 0, 0], [0, 1.0, 0], [1.0, 0, -40.0], [1.0, 0, 20.0]])
    np.testing.assert_allclose(points[:, 0], [120, 100, 110, 140], atol=1e-4)
    np.testing.assert_allclose(points[:, 1], [100, 80, 100, 100], atol=1e-4)
    np.testing.assert_allclose(points[:, 2], [40, 40, 80, 20], atol=1e-4)
    assert points.dtype == np.float32


def test_the_middle_of_the_first_pixel_is_a_half():
    lens = Camera((0.0, 0.0, 10.0), 10.0, (2.0, 1.5), (3, 4))  # one dm at 10 dm is one pixel
    np.testing.assert_allclose(lens.project([[-1.5, 1.0, 0.0]])[0, :2], [0.5, 0.5], atol=1e-6)


def test_pitch_looks_down_and_roll_leans_the_person_to_the_left():
    down = Camera((0.0, 0.0, 40.0), 800.0, (0.0, 0.0), (10, 10), pitch=2.0)
    x, y, depth = down.project([[0.0, 0.0, 0.0]])[0]
    assert x == pytest.approx(0, abs=1e-4)
    assert y == pytest.approx(-800 * np.tan(np.radians(2)), rel=1e-4)
    assert depth == pytest.approx(40 * np.cos(np.radians(2)), rel=1e-5)
    rolled = Camera((0.0, 0.0, 40.0), 800.0, (0.0, 0.0), (10, 10), roll=5.0)
    assert rolled.project([[0.0, 5.0, 0.0]])[0, 0] < -5
    np.testing.assert_allclose(rolled.rotation @ rolled.rotation.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("category", CATEGORIES)
def test_framings_are_json_depend_on_the_stream_alone_and_have_sane_distances(category):
    framings = [sample_framing(stream(1, k, "framing"), category) for k in range(80)]
    assert framings[3] == sample_framing(stream(1, 3, "framing"), category)
    assert Framing(**json.loads(json.dumps(asdict(framings[0])))) == framings[0]
    assert all(25 <= framing.distance <= 70 and framing.top < framing.bottom for framing in framings)
    assert len({framing.kind for framing in framings}) == 3


def test_an_unknown_category_is_refused():
    with pytest.raises(KeyError):
        sample_framing(np.random.default_rng(0), "hats")


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_camera_puts_the_landmarks_where_the_framing_wants_them(people, category):
    for k in range(12):
        body, vertices, posed = people[k % 3]
        framing = sample_framing(stream(2, k, "framing"), category)
        lens = camera(framing, body, vertices, posed, (256, 192))
        marks = landmarks(body, vertices, posed)
        upper, lower = lens.project(np.stack([marks[framing.upper], marks[framing.lower]]))
        assert upper[1] == pytest.approx(framing.top * 256, abs=0.05)
        assert lower[1] == pytest.approx(framing.bottom * 256, abs=0.05)
        middle = lens.project([(marks["neck"] + marks["hips"]) / 2])[0]
        assert middle[0] == pytest.approx(framing.across * 192, abs=0.05)
        assert abs(middle[2] - framing.distance) < 6
        assert abs(lens.principal[1] / 256 - 0.5) < 0.15  # no view camera


def test_a_larger_picture_is_the_same_picture(people):
    body, vertices, posed = people[0]
    framing = sample_framing(stream(3, 0, "framing"), "dresses")
    small, large = (camera(framing, body, vertices, posed, size) for size in ((256, 192), (1024, 768)))
    np.testing.assert_allclose(small.project(vertices)[:, :2] * 4, large.project(vertices)[:, :2], atol=0.01)


def test_upper_body_pictures_keep_neck_and_hips_and_match_studio_photographs(people):
    necks, torsos = [], []
    for k in range(90):
        body, vertices, posed = people[k % 3]
        framing = sample_framing(stream(4, k, "framing"), "upper_body")
        points = camera(framing, body, vertices, posed, (256, 192)).project(keypoints(body, vertices, posed))
        inside = (points[[1, 8, 11], :2] > 0).all() and (points[[1, 8, 11], :2] < (192, 256)).all()
        assert inside
        if framing.kind == "thighs":
            necks.append(points[1, 1] / 256)
            torsos.append(np.hypot(*(points[[8, 11], :2].mean(0) - points[1, :2])) / 256)
    assert np.mean(necks) == pytest.approx(0.327, abs=0.02)
    assert np.mean(torsos) == pytest.approx(0.426, abs=0.03)
    assert 0.015 < np.std(necks) < 0.04 and 0.03 < np.std(torsos) < 0.08


def test_full_length_pictures_show_the_whole_body(people):
    body, vertices, posed = people[1]
    shown = 0
    for k in range(30):
        framing = sample_framing(stream(5, k, "framing"), "lower_body")
        if framing.kind == "full":
            rows = camera(framing, body, vertices, posed, (256, 192)).project(vertices)[:, 1]
            assert rows.min() > 0 and rows.max() < 256
            shown += 1
    assert shown > 10


def test_a_person_upside_down_is_refused():
    body = load_body()
    nodes = body.nodes(Shape())
    posed = body.pose(nodes, rotations(PoseSpec()))
    with pytest.raises(ValueError, match="soles is not above crown"):
        camera(Framing("soles", "crown", 0.1, 0.9), body, nodes[: body.count], posed, (64, 48))
