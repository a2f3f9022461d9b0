"""Hair: every shape grows, stays out of the head and off the eyes, and hangs on the right bones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vto_utils.synth.body import Body, Shape, load_body
from vto_utils.synth.hair import PAINTED, HairMesh, hair
from vto_utils.synth.hair_texture import hair_texture
from vto_utils.synth.people import HAIR_STYLES, LONG_HAIR, Identity, sample_identity
from vto_utils.synth.scalp import standard_head
from vto_utils.synth.seeds import stream

GROWN = [style for style in HAIR_STYLES if style not in PAINTED]


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def made(body: Body, **values) -> tuple[Identity, np.ndarray, HairMesh]:
    identity = Identity(**values)
    nodes = body.nodes(identity.body_shape())
    return identity, nodes, hair(identity, body, nodes)


@pytest.mark.parametrize("style", sorted(PAINTED))
def test_painted_shapes_have_no_mesh(body: Body, style: str) -> None:
    identity = Identity(hair=style)
    assert hair(identity, body, body.nodes(identity.body_shape())) is None


@pytest.mark.parametrize("style", GROWN)
def test_every_shape_is_a_sound_mesh(body: Body, style: str) -> None:
    _, _, mesh = made(body, hair=style, hair_seed=5, fringe=0.8, parting=0.7, falls="both")
    count = len(mesh.vertices)
    assert 500 < len(mesh.faces) <= 8000
    assert mesh.faces.min() >= 0 and mesh.faces.max() < count
    for array, width in ((mesh.vertices, 3), (mesh.normals, 3), (mesh.texture_points, 2), (mesh.weights, 4)):
        assert array.shape == (count, width) and array.dtype == np.float32 and np.isfinite(array).all()
    assert mesh.texture_points.min() >= 0 and mesh.texture_points.max() <= 1
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(mesh.weights.sum(1), 1, atol=1e-5)
    assert (mesh.weights >= 0).all() and mesh.weight_bones.max() < len(body.bones)


@pytest.mark.parametrize("style", GROWN)
def test_hair_stays_out_of_the_head(body: Body, style: str) -> None:
    # on the standard body, whose distance field is known
    identity = Identity(hair=style, falls="left", hair_seed=2)
    mesh = hair(identity, body, body.nodes(Shape(gender=0.5)))
    distance, _ = standard_head(body).distance(mesh.vertices.astype(np.float64))
    assert (distance < -0.02).mean() < 0.01
    assert distance.min() > -0.1


def eye_cover(body: Body, nodes: np.ndarray, mesh: HairMesh) -> float:
    """Share of the middles of opaque triangles that lie in front of the eyes' openings."""
    eyes = nodes[np.unique(body.eyes)]
    middle = mesh.vertices[mesh.faces].mean(1)
    u, v = mesh.texture_points[mesh.faces].mean(1).T
    height, width = mesh.texture.shape[:2]
    alpha = mesh.texture[((1 - v) * (height - 1)).astype(int), (u * (width - 1)).astype(int), 3]
    hidden = np.zeros(len(middle), bool)
    for sign in (1, -1):
        eye = eyes[eyes[:, 0] * sign > 0].mean(0)
        near = (np.abs(middle[:, 0] - eye[0]) < 0.13) & (np.abs(middle[:, 1] - eye[1]) < 0.06)
        hidden |= near & (middle[:, 2] > eye[2])
    return float((hidden & (alpha > 0.5)).mean())


def test_hair_stays_off_the_eyes(body: Body) -> None:
    covers = []
    for k in range(24):
        identity = sample_identity(stream(4, k, "identity"), held_out=bool(k % 2))
        nodes = body.nodes(identity.body_shape())
        mesh = hair(identity, body, nodes)
        if mesh is not None:
            covers.append(eye_cover(body, nodes, mesh))
    assert len(covers) > 14
    assert max(covers) < 0.01 and np.mean(covers) < 0.001


def on_the_chest(mesh: HairMesh, sign: int) -> int:
    v = mesh.vertices
    return int(((v[:, 0] * sign > 0.2) & (v[:, 1] < 5.2) & (v[:, 2] > 0.5)).sum())


@pytest.mark.parametrize("style", sorted(LONG_HAIR))
def test_long_hair_falls_where_it_should(body: Body, style: str) -> None:
    cases = (("behind", False, False), ("left", True, False), ("right", False, True), ("both", True, True))
    for falls, left, right in cases:
        identity = Identity(hair=style, falls=falls, hair_length=0.7, hair_seed=4)
        mesh = hair(identity, body, body.nodes(Shape(gender=0.5)))
        for sign, wanted in ((1, left), (-1, right)):
            assert (on_the_chest(mesh, sign) > 60) if wanted else (on_the_chest(mesh, sign) < 12), (falls, sign)
        behind = (mesh.vertices[:, 1] < 5.2) & (mesh.vertices[:, 2] < 0)
        assert behind.sum() > 60  # there is always some at the back


def test_low_hair_hangs_on_the_chest_and_the_top_on_the_head(body: Body) -> None:
    _, _, mesh = made(body, hair="long_straight", falls="both", hair_length=0.8)
    head = np.where(mesh.weight_bones == body.bone["head"], mesh.weights, 0).sum(1)
    assert head[mesh.vertices[:, 1] > 7.3].min() > 0.99
    assert head[mesh.vertices[:, 1] < 4.2].max() < 0.05


def test_same_identity_same_hair_and_seeds_differ(body: Body) -> None:
    _, _, one = made(body, hair="long_wavy", hair_seed=8)
    _, _, two = made(body, hair="long_wavy", hair_seed=8)
    _, _, other = made(body, hair="long_wavy", hair_seed=10)
    np.testing.assert_array_equal(one.vertices, two.vertices)
    np.testing.assert_array_equal(one.texture, two.texture)
    some = slice(0, 2000)  # the number of locks may differ
    assert np.abs(one.vertices[some] - other.vertices[some]).max() > 0.02


def test_hair_follows_the_head(body: Body) -> None:
    identity = Identity(hair="side_part")
    small = hair(identity, body, body.nodes(Shape(height=0.2)))
    tall = hair(identity, body, body.nodes(Shape(height=0.8)))
    for shape, mesh in ((Shape(height=0.2), small), (Shape(height=0.8), tall)):
        top = body.vertices(shape)[:, 1].max()
        assert top - 0.02 < mesh.vertices[:, 1].max() < top + 0.5


def test_length_volume_and_fringe_do_something(body: Body) -> None:
    def lowest(length: float) -> float:
        return made(body, hair="long_straight", hair_length=length)[2].vertices[:, 1].min()

    assert lowest(1.0) < lowest(0.0) - 0.8
    low, high = (made(body, hair="afro", hair_volume=v)[2].vertices for v in (0.0, 1.0))
    assert np.ptp(high[:, 0]) > np.ptp(low[:, 0]) + 0.4

    def on_forehead(fringe: float) -> int:
        v = made(body, hair="bob", fringe=fringe)[2].vertices
        top = v[:, 1].max()
        return int(((np.abs(v[:, 0]) < 0.4) & (v[:, 2] > 1.2) & (v[:, 1] < top - 0.55)).sum())

    assert on_forehead(0.9) > on_forehead(0.0) + 20


def test_texture_is_cut_out_and_coloured() -> None:
    for style in GROWN:
        identity = Identity(hair=style, hair_colour=(0.6, 0.3, 0.15))
        texture = hair_texture(identity)
        assert texture.dtype == np.float32 and texture.min() >= 0 and texture.max() <= 1
        opaque = texture[..., 3] > 0.5
        assert 0.4 < opaque.mean() < 0.97
        np.testing.assert_allclose(texture[opaque][:, :3].mean(0), (0.6, 0.3, 0.15), rtol=0.25)
        assert texture[opaque][:, 0].std() > 0.02  # streaks
    identity = dataclasses.replace(identity, hair_colour=(0.1, 0.1, 0.1))
    assert hair_texture(identity)[..., :3].mean() < 0.2
