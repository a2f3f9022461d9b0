"""Shoes enclose the feet, stand on the ground, and go with their foot."""

from __future__ import annotations

import numpy as np
import pytest

from vto_utils.synth.body import Body, Shape, load_body, rotation, skin
from vto_utils.synth.people import SHOE_KINDS, Identity
from vto_utils.synth.shoes import shoe_texture, shoes

WORN = [kind for kind in SHOE_KINDS if kind != "barefoot"]


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def test_bare_feet_wear_none(body: Body) -> None:
    assert shoes(Identity(shoes="barefoot"), body, body.nodes(Shape())) is None


@pytest.mark.parametrize("kind", WORN)
def test_every_kind_is_a_sound_pair(body: Body, kind: str) -> None:
    pair = shoes(Identity(shoes=kind), body, body.nodes(Shape(gender=1.0, height=0.7)))
    count = len(pair.vertices)
    assert len(pair.faces) == 2 * pair.faces_left < 4000
    assert pair.faces.min() >= 0 and pair.faces.max() < count
    assert np.isfinite(pair.vertices).all() and pair.vertices.dtype == np.float32
    assert pair.texture_points.min() >= 0 and pair.texture_points.max() <= 1
    assert pair.texture.min() >= 0 and pair.texture.max() <= 1
    left = np.unique(pair.faces[: pair.faces_left])
    right = np.unique(pair.faces[pair.faces_left :])
    assert pair.vertices[left, 0].min() > 0 > pair.vertices[right, 0].max()  # the person's left is x > 0
    assert (pair.weight_bones[left] == body.bone["foot.L"]).all()
    assert (pair.weight_bones[right] == body.bone["foot.R"]).all()
    np.testing.assert_array_equal(pair.weights, 1)


@pytest.mark.parametrize("kind", WORN)
@pytest.mark.parametrize("shape", [Shape(), Shape(gender=1.0, height=0.8, weight=0.7), Shape(gender=0.0, height=0.2)])
def test_shoes_fit(body: Body, kind: str, shape: Shape) -> None:
    nodes = body.nodes(shape)
    pair = shoes(Identity(shoes=kind), body, nodes)
    skin_points = nodes[np.unique(body.faces)]
    foot = skin_points[(skin_points[:, 0] > 0) & (skin_points[:, 1] < skin_points[:, 1].min() + 0.3)]
    left = pair.vertices[np.unique(pair.faces[: pair.faces_left])]
    low, high = left.min(0), left.max(0)
    assert low[1] < foot[:, 1].min() < low[1] + 0.15  # a sole's thickness
    assert (low[[0, 2]] < foot.min(0)[[0, 2]] + 0.03).all() and (high[[0, 2]] > foot.max(0)[[0, 2]] - 0.03).all()
    assert high[2] - foot[:, 2].max() < 0.35  # not a clown's


@pytest.mark.parametrize("kind", WORN)
def test_covered_skin_is_that_of_the_feet(body: Body, kind: str) -> None:
    pair = shoes(Identity(shoes=kind), body, body.nodes(Shape()))
    assert pair.covered.shape == (body.count,) and pair.covered.sum() > 500
    assert body.vertices(Shape())[pair.covered, 1].max() < -6.0


def test_faces_look_outwards(body: Body) -> None:
    for kind in WORN:
        pair = shoes(Identity(shoes=kind), body, body.nodes(Shape()))
        for faces in (pair.faces[: pair.faces_left], pair.faces[pair.faces_left :]):
            corners = pair.vertices[faces].astype(np.float64)
            middle = corners.reshape(-1, 3).mean(0)
            across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            volume = (across * (corners.mean(1) - middle)).sum() / 6
            assert volume > 0, kind


def test_a_shoe_turns_with_its_foot(body: Body) -> None:
    nodes = body.nodes(Shape())
    pair = shoes(Identity(), body, nodes)
    turn = rotation((0, 1, 0), 20)
    moved = skin(pair.vertices, body.pose(nodes, {"foot.L": turn}), pair.weight_bones, pair.weights)
    half = len(moved) // 2
    np.testing.assert_allclose(moved[half:], pair.vertices[half:], atol=1e-5)
    ankle = nodes[body.count + body.bone["foot.L"]]
    np.testing.assert_allclose(moved[:half], (pair.vertices[:half] - ankle) @ turn.T + ankle, atol=1e-4)


def test_texture_has_the_person_s_colours() -> None:
    for kind in WORN:
        texture = shoe_texture(Identity(shoes=kind, shoe_colour=(0.7, 0.1, 0.1), sole_colour=(0.1, 0.1, 0.8)))
        upper, sole = texture[40:56, 118:126].mean((0, 1)), texture[:8, 20:120].mean((0, 1))
        assert upper[0] > 2 * upper[2] and sole[2] > 2 * sole[0]
