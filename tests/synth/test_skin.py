"""Skin and eyes: regions where they belong, tones in order, nothing out of range."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vto_utils.synth.body import Body, load_body
from vto_utils.synth.eyes import eye_texture, eyes
from vto_utils.synth.people import Identity, sample_identity
from vto_utils.synth.seeds import stream
from vto_utils.synth.skin import base_tone, paint_photo, skin_texture
from vto_utils.synth.skin_layout import SkinLayout, skin_layout
from vto_utils.synth.standard import STANDARD, hairline, seams

SIZE = 256


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


@pytest.fixture(scope="module")
def layout(body: Body) -> SkinLayout:
    return skin_layout(body, SIZE)


def near(layout: SkinLayout, point: tuple[float, float, float], radius: float = 0.1) -> np.ndarray:
    """Flat texels within ``radius`` dm of the place on the standard body that is nearest to a point."""
    distance = np.linalg.norm(layout.position - np.array(point), axis=1)
    assert distance.min() < 0.3
    place = layout.position[distance.argmin()]
    return layout.texels[np.linalg.norm(layout.position - place, axis=1) < radius]


def test_same_identity_same_skin(body: Body) -> None:
    identity = sample_identity(stream(1, 2, "identity"))
    first, second = skin_texture(identity, body, SIZE), skin_texture(identity, body, SIZE)
    assert first.shape == (SIZE, SIZE, 3) and first.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    other = skin_texture(dataclasses.replace(identity, skin_seed=identity.skin_seed + 2), body, SIZE)
    assert np.abs(first - other).max() > 0.02


def test_values_are_colours(body: Body) -> None:
    for k in range(12):
        skin = skin_texture(sample_identity(stream(2, k, "identity")), body, SIZE)
        assert np.isfinite(skin).all() and skin.min() >= 0 and skin.max() <= 1


def test_tones_run_from_pale_to_dark(body: Body, layout: SkinLayout) -> None:
    forehead = near(layout, (0.0, 7.75, 1.38))
    plain = Identity(gender=0.0, blush=0.0)
    means = [
        skin_texture(dataclasses.replace(plain, tone=tone), body, SIZE).reshape(-1, 3)[forehead].mean()
        for tone in np.linspace(0, 1, 7)
    ]
    assert all(a > b for a, b in zip(means[:-1], means[1:], strict=True))
    assert means[0] > 0.75 and means[-1] < 0.3


def test_red_is_strongest_in_every_tone() -> None:
    for tone in np.linspace(0, 1, 11):
        for undertone in (-1, 0, 1):
            red, green, blue = base_tone(tone, undertone)
            assert red > green > blue > 0


def test_seams_lie_on_the_face(body: Body) -> None:
    vertices, found = body.vertices(STANDARD), seams(body)
    mouth, left, right = (vertices[found[name]].mean(0) for name in ("mouth", "eye.L", "eye.R"))
    assert abs(mouth[0]) < 0.02 and left[0] > 0.2 and right[0] < -0.2  # the person's left is x > 0
    assert left[1] == pytest.approx(right[1], abs=0.01) and mouth[1] < left[1] - 0.5


def test_lips_brows_and_lashes_stand_out(body: Body, layout: SkinLayout) -> None:
    identity = Identity(gender=0.0, tone=0.15, lipstick=0.0, blush=0.2)
    flat = skin_texture(identity, body, 512).reshape(-1, 3)
    fine = skin_layout(body, 512)
    lips = np.setdiff1d(fine.lips[0][fine.lips[1] > 0.9], fine.lip_line[0])
    cheek = near(fine, (0.58, 6.95, 1.0))
    redness = flat[:, 0] - flat[:, 1]
    assert redness[lips].mean() > redness[cheek].mean() + 0.05
    texels, along, across, _ = fine.brow
    brow = texels[(np.abs(across) < 0.01) & (along > 0.2) & (along < 0.7)]
    assert flat[brow].mean() < flat[cheek].mean() - 0.25
    lash = fine.lash[0][fine.lash[1] > 0.7]
    assert flat[lash].mean() < flat[cheek].mean() - 0.3


def test_scalp_has_the_hair_s_colour_and_the_face_does_not(body: Body, layout: SkinLayout) -> None:
    dark = Identity(tone=0.05, hair="bob", hair_colour=(0.08, 0.07, 0.07))
    flat = skin_texture(dark, body, SIZE).reshape(-1, 3)
    assert flat[near(layout, (0.0, 8.38, 0.4), 0.2)].mean() < 0.25
    assert flat[near(layout, (0.0, 7.75, 1.38))].mean() > 0.7
    bald = skin_texture(dataclasses.replace(dark, hair="bald"), body, SIZE).reshape(-1, 3)
    assert bald[near(layout, (0.0, 8.38, 0.4), 0.2)].mean() > 0.6


def test_hairline_sign() -> None:
    crown, brow, nape, ear = (0.0, 8.35, 0.3), (0.2, 7.5, 1.35), (0.0, 6.95, -0.3), (0.0, 6.5, -0.1)
    distance = hairline(np.array([crown, brow, nape, ear]))
    assert distance[0] > 0.2 and distance[1] < -0.2 and distance[2] > 0 and distance[3] < 0


def test_stubble_darkens_the_chin_only(body: Body, layout: SkinLayout) -> None:
    shaven = Identity(gender=1.0, tone=0.1, hair="crop", brow_colour=(0.1, 0.08, 0.07))
    bearded = dataclasses.replace(shaven, stubble=1.0)
    one, two = (skin_texture(i, body, SIZE).reshape(-1, 3) for i in (shaven, bearded))
    chin, forehead = near(layout, (0.0, 6.4, 1.4), 0.15), near(layout, (0.0, 7.75, 1.38))
    assert two[chin].mean() < one[chin].mean() - 0.1
    np.testing.assert_allclose(two[forehead], one[forehead], atol=1e-6)


def test_palms_of_dark_skin_are_lighter(body: Body, layout: SkinLayout) -> None:
    flat = skin_texture(Identity(tone=0.9), body, SIZE).reshape(-1, 3)
    pale = layout.texels[layout.maps[:, 2] > 240]
    arm = near(layout, (3.2, 3.0, 0.8), 0.6)
    assert flat[pale].mean() > flat[arm].mean() + 0.05


def test_age_draws_lines(body: Body) -> None:
    fine = skin_layout(body, 512)
    texels = fine.wrinkles[0][fine.wrinkles[1] > 0.5]
    assert len(texels) > 50
    plain = Identity(gender=0.0, freckles=0.0, tone=0.3)
    young, old = (
        skin_texture(dataclasses.replace(plain, age=age), body, 512).reshape(-1, 3)[texels].mean() for age in (0.0, 0.8)
    )
    assert old < young - 0.03


def test_palms_face_the_way_fingers_curl(body: Body) -> None:
    """The nails are on the other side of the hand than the pale palm."""
    fine = skin_layout(body, 512)
    pale = fine.maps[np.searchsorted(fine.texels, fine.nails[0][fine.nails[1] > 0.5]), 2]
    assert (pale < 128).mean() > 0.8
    # the thumb of a relaxed hand lies on the palm's side
    nodes = body.nodes(STANDARD)
    joint = {name: nodes[body.count + body.bone[f"{name}.L"]] for name in ("wrist", "finger1-3", "finger3-1")}
    near = fine.position[np.linalg.norm(fine.position - (joint["wrist"] + joint["finger3-1"]) / 2, axis=1) < 0.5]
    maps = fine.maps[np.linalg.norm(fine.position - (joint["wrist"] + joint["finger3-1"]) / 2, axis=1) < 0.5]
    palm, back = near[maps[:, 2] > 200].mean(0), near[maps[:, 2] < 30].mean(0)
    assert (joint["finger1-3"] - (joint["wrist"] + joint["finger3-1"]) / 2) @ (palm - back) > 0


def test_trunk_is_plain(body: Body, layout: SkinLayout) -> None:
    """No detail where clothes are: neighbouring texels of chest and hips hardly differ."""
    flat = skin_texture(Identity(tone=0.2), body, SIZE).reshape(-1, 3)
    p = layout.position
    trunk = layout.texels[(np.abs(p[:, 0]) < 1.5) & (np.abs(p[:, 1] - 1.5) < 3.0)]
    assert flat[trunk].std(axis=0).max() < 0.05


def test_gutter_repeats_the_islands(body: Body, layout: SkinLayout) -> None:
    flat = skin_texture(Identity(), body, SIZE).reshape(-1, 3)
    np.testing.assert_array_equal(flat[layout.gutter[0]], flat[layout.gutter[1]])


def test_eyes_sit_in_their_sockets(body: Body) -> None:
    identity = sample_identity(stream(5, 1, "identity"))
    nodes = body.nodes(identity.body_shape())
    mesh = eyes(body, nodes)
    own = nodes[np.unique(body.eyes)]
    assert mesh.faces.max() < len(mesh.vertices) and len(mesh.faces) < 1000
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    half = len(mesh.vertices) // 2
    for part, sign in ((mesh.vertices[:half], 1), (mesh.vertices[half:], -1)):
        ball = own[own[:, 0] * sign > 0]
        assert (part.min(0) > ball.min(0) - 0.03).all() and (part.max(0) < ball.max(0) + 0.03).all()
    corners = mesh.vertices[mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((across * mesh.normals[mesh.faces[:, 0]]).sum(1) > 0).all()  # seen from outside


def test_gaze_turns_the_iris(body: Body) -> None:
    nodes = body.nodes(STANDARD)
    ahead, left, up = eyes(body, nodes), eyes(body, nodes, (20, 0)), eyes(body, nodes, (0, 20))
    assert left.vertices[0, 0] > ahead.vertices[0, 0] + 0.02  # the texture's middle is the first vertex
    assert up.vertices[0, 1] > ahead.vertices[0, 1] + 0.02


def test_eye_texture_is_pupil_iris_white() -> None:
    eye = eye_texture(Identity(iris=(0.35, 0.5, 0.6)), 128)
    assert eye.shape == (128, 128, 3) and eye.dtype == np.float32 and eye.min() >= 0 and eye.max() <= 1
    assert eye[64, 64].max() < 0.1
    assert eye[64, 64 + 10, 2] > eye[64, 64 + 10, 0]  # the iris is blue
    assert eye[64, 64 + 22].min() > 0.6


def test_photo_keeps_the_face_and_gives_a_plain_trunk(body: Body, layout: SkinLayout) -> None:
    rng = np.random.default_rng(0)
    photo = rng.uniform(0.3, 0.9, (SIZE, SIZE, 3)).astype(np.float32)
    identity = Identity(tone=0.2)
    painted = paint_photo(identity, body, photo)
    cheek = near(layout, (0.58, 6.95, 1.0), 0.08)
    np.testing.assert_allclose(painted.reshape(-1, 3)[cheek], photo.reshape(-1, 3)[cheek])
    p = layout.position
    trunk = layout.texels[(np.abs(p[:, 0]) < 1.5) & (np.abs(p[:, 1] - 1.5) < 2.5)]
    np.testing.assert_allclose(painted.reshape(-1, 3)[trunk], skin_texture(identity, body, SIZE).reshape(-1, 3)[trunk])
