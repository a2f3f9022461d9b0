import json
from dataclasses import replace

import numpy as np
import pytest

from vto_utils.synth.cameras import Camera
from vto_utils.synth.mesh import vertex_normals
from vto_utils.synth.raster import FAR
from vto_utils.synth.seeds import stream
from vto_utils.synth.shading import (
    LightSpec,
    Material,
    Part,
    develop,
    draw,
    openness,
    sample_light,
    shade,
    shadow_map,
    tangents,
)

SIDE = 64
SCALE = 6.4  # pixels per dm: the picture shows 10 dm
LENS = Camera((0.0, 0.0, 400.0), SCALE * 400, (SIDE / 2, SIDE / 2), (SIDE, SIDE))  # far away: nearly parallel
MATT = Material((0.0, 0.0, 0.0), 0.0, 1.0, 0.5)
KEY = LightSpec((0.0, 0.0, 1.0), 0.6, 0.0, 0.5, (0.0, 0.0, 1.0), 0.0, 0.0)


def part(points, faces, name="body", grey=1.0, material=MATT, texture=None, corners=None, **more):
    points, faces = np.float32(points), np.int32(faces)
    if texture is None:
        texture = np.full((4, 4, 3), grey, np.float32)
    if corners is None:
        corners = np.full((len(faces), 3, 2), 0.5, np.float32)
    labels = np.full(len(faces), 5, np.uint8)
    return Part(name, points, vertex_normals(points, faces), faces, corners, texture, labels, material, **more)


def plate(x=0.0, y=0.0, z=0.0, half=4.5, flip=False, upright=False, **more):
    """A square that faces the camera; ``upright`` shows a texture as it is, else all of it is the texture's middle."""
    count = 13  # of small triangles, as clothes have them
    u, v = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count))
    points = np.stack([x + half * (2 * u - 1), y + half * (2 * v - 1), np.full_like(u, z)], -1).reshape(-1, 3)
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    if flip:
        faces = faces[:, ::-1]
    corners = np.stack([u, 1 - v], -1).reshape(-1, 2)[faces] if upright else None
    return part(points, faces, corners=None if corners is None else np.ascontiguousarray(corners, np.float32), **more)


def ball(radius=3.0, **more):
    theta, phi = np.meshgrid(np.linspace(0.01, np.pi - 0.01, 40), np.linspace(0, 2 * np.pi, 61)[:-1], indexing="ij")
    x, y, z = np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)
    points = radius * np.stack([x, y, z], -1).reshape(-1, 3)
    index = np.arange(len(points)).reshape(theta.shape)
    a, b = index[:-1], np.roll(index, -1, 1)[:-1]
    c, d = index[1:], np.roll(index, -1, 1)[1:]
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return part(points, faces, **more)


def lit(*parts, light=KEY):
    buffer, bases = draw(list(parts), LENS, SIDE, SIDE)
    return (*shade(buffer, list(parts), bases, light, SCALE), buffer)


def at(picture, x, y):
    """The pixel that shows a point of the plane z = 0."""
    return picture[int(SIDE / 2 - y * SCALE), int(SIDE / 2 + x * SCALE)]


def test_the_plates_and_the_ball_face_the_camera():
    assert plate().normals[0] @ [0, 0, 1] == pytest.approx(1)
    round_ball = ball()
    assert (round_ball.normals * round_ball.points / 3.0).sum(1).min() > 0.9


@pytest.mark.parametrize("side", [-1, 1])
def test_light_from_one_side_makes_that_side_brighter(side):
    out, _, _ = lit(ball(), light=replace(KEY, key=(side * 1.0, 0.1, 0.6)))
    near, far = (at(out, x, 0)[1] for x in (side * 2.0, -side * 2.0))
    assert near > far + 0.2
    above, _, _ = lit(ball(), light=replace(KEY, key=(0.0, 1.0, 0.3)))
    assert at(above, 0, 2)[1] > at(above, 0, -2)[1] + 0.2


def test_brightness_falls_with_the_angle_as_lambert_says():
    bright = []
    for degrees in range(0, 90, 10):
        key = (np.sin(np.deg2rad(degrees)), 0.0, np.cos(np.deg2rad(degrees)))
        weak, strong = (
            at(lit(plate(), light=replace(KEY, key=key, key_strength=strength))[0], 0, 0) for strength in (0.2, 0.7)
        )
        np.testing.assert_allclose(strong - weak, 0.5 * key[2], atol=0.01)
        bright.append(strong[1])
    assert (np.diff(bright) < 0).all()


def test_wrapped_light_creeps_round_the_edge():
    wrap = np.array([0.4, 0.2, 0.0])
    wrapped = plate(material=replace(MATT, wrap=tuple(wrap)))
    oblique = replace(KEY, key=(np.sqrt(0.75), 0.0, 0.5))
    soft = at(lit(wrapped, light=oblique)[0] - lit(wrapped, light=replace(oblique, key_strength=0.0))[0], 0, 0)
    np.testing.assert_allclose(soft, 0.6 * (0.5 + wrap) / (1 + wrap), atol=0.01)


def test_light_adds_up_and_the_albedo_scales_it():
    ambient = at(lit(plate(), light=replace(KEY, key_strength=0.0, ambient=0.3))[0], 0, 0)
    nothing = at(lit(plate(), light=replace(KEY, key_strength=0.0))[0], 0, 0)
    key = at(lit(plate())[0], 0, 0)
    both = at(lit(plate(), light=replace(KEY, ambient=0.3))[0], 0, 0)
    np.testing.assert_allclose(both - nothing, (ambient - nothing) + (key - nothing), atol=5e-3)
    fill = at(lit(plate(), light=replace(KEY, fill_strength=0.2))[0], 0, 0)
    np.testing.assert_allclose(fill - key, 0.2, atol=5e-3)
    grey = at(lit(plate(grey=0.5))[0], 0, 0)
    np.testing.assert_allclose(grey / key, 0.5**2.2, rtol=0.02)
    assert (at(lit(plate(grey=0.0))[0], 0, 0) == 0).all()


def test_a_warm_key_light_is_red():
    red, _, blue = at(lit(plate(), light=replace(KEY, warmth=0.1))[0], 0, 0)
    plain = at(lit(plate())[0], 0, 0)
    assert red - plain[0] == pytest.approx(0.06, abs=0.01) and plain[2] - blue == pytest.approx(0.06, abs=0.01)


def test_gloss_makes_a_highlight_where_the_light_is_mirrored():
    light = replace(KEY, key=(1.0, 0.0, 1.0))
    matt = lit(ball(), light=light)[0]
    shiny = lit(ball(material=Material((0.0,) * 3, 0.3, 60.0, 1.0)), light=light)[0]
    gain = (shiny - matt)[..., 1]
    row, column = np.unravel_index(gain.argmax(), gain.shape)
    # half-way between the light and the camera: 22.5 degrees to the right
    assert column - SIDE / 2 == pytest.approx(3 * np.sin(np.pi / 8) * SCALE, abs=2)
    assert row == pytest.approx(SIDE / 2, abs=2)
    assert gain.max() > 0.1 and np.median(gain[matt[..., 1] > 0]) < 0.02


@pytest.mark.parametrize("side", [-1, 1])
def test_a_shadow_falls_away_from_the_light(side):
    """An obstacle 3 dm in front of a wall, lit at 45 degrees, throws its shadow 3 dm aside."""
    wall, obstacle = plate(), plate(z=3.0, half=0.7, name="top")
    light = replace(KEY, key=(side * 1.0, 0.0, 1.0))
    out, _, _ = lit(wall, obstacle, light=light)
    free, _, _ = lit(wall, light=light)
    assert at(out, -side * 3.0, 0)[1] < 0.5 * at(free, -side * 3.0, 0)[1]
    for x, y in ((side * 3.0, 0.0), (-side * 3.0, 2.0), (-side * 4.2, 0.0)):
        np.testing.assert_allclose(at(out, x, y), at(free, x, y), rtol=0.1)
    # light without direction throws none
    grey = replace(KEY, key_strength=0.0, ambient=0.4)
    dark = at(lit(wall, obstacle, light=grey)[0], -side * 3.0, 0)[1] / at(lit(wall, light=grey)[0], -side * 3.0, 0)[1]
    assert dark > 0.7


def test_a_softer_light_has_a_wider_edge_of_shadow():
    def half_lit(softness):
        light = replace(KEY, key=(1.0, 0.0, 1.0), softness=softness)
        wall, obstacle = plate(), plate(z=3.0, half=1.2, name="top")
        seen = slice(int(SIDE / 2 - 4.4 * SCALE), int(SIDE / 2 - 1.3 * SCALE))  # of the wall, beside the obstacle
        share = (lit(wall, obstacle, light=light)[0] / np.maximum(lit(wall, light=light)[0], 1e-6))[20:44, seen, 1]
        low, high = share.min(), share.max()
        assert high - low > 0.3
        return ((share > low + 0.15 * (high - low)) & (share < high - 0.15 * (high - low))).sum()

    assert half_lit(20.0) > half_lit(0.5) + 20


def test_the_shadow_map_tells_depth_along_the_light():
    wall, obstacle = plate(), plate(x=1.0, z=3.0, half=0.7, name="top")
    depth, matrix = shadow_map([wall, obstacle], KEY)
    for x, y, z in ((1.0, 0.0, 3.0), (-2.0, 1.0, 0.0), (2.5, -3.0, 0.0)):
        column, row, far = matrix @ [x, y, z, 1]
        assert depth[int(row), int(column)] == pytest.approx(far, abs=0.02)
    column, row, far = matrix @ [1.0, 0.0, 0.0, 1]  # behind the obstacle
    assert depth[int(row), int(column)] == pytest.approx(far - 3, abs=0.02)


def test_normals_are_the_surfaces():
    _, normal, buffer = lit(ball())
    seen = buffer.triangle >= 0
    assert (normal[~seen] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(normal[seen], axis=1), 1, atol=1e-3)
    rows, columns = np.nonzero(seen)
    x, y = (columns + 0.5 - SIDE / 2) / SCALE, (SIDE / 2 - rows - 0.5) / SCALE
    inner = np.hypot(x, y) < 2.5
    np.testing.assert_allclose(normal[seen][inner, 0], x[inner] / 3, atol=0.06)
    np.testing.assert_allclose(normal[seen][inner, 1], y[inner] / 3, atol=0.06)


def test_the_inside_of_cloth_is_turned_to_the_camera_and_darker():
    outside, _, _ = lit(plate())
    inside, normal, _ = lit(plate(flip=True))
    np.testing.assert_allclose(at(normal, 0, 0), [0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(at(inside, 0, 0), 0.5 * at(outside, 0, 0), rtol=0.02)


@pytest.mark.parametrize(("channel", "key"), [(3, (1.0, 0.0, 1.0)), (4, (0.0, 1.0, 1.0))])
def test_relief_leans_towards_its_lower_side(channel, key):
    texture = np.zeros((4, 4, 5), np.float32)
    texture[..., :3] = 1
    texture[..., channel] = 0.5  # rises to the right, or upwards
    sloped = plate(texture=texture, upright=True)
    right, up = np.split(tangents(sloped)[0], 2)
    np.testing.assert_allclose(right, [1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(up, [0, 1, 0], atol=1e-5)
    out, normal, _ = lit(sloped, light=replace(KEY, key=key))
    expected = -0.5 * (np.float32(key) - [0, 0, 1]) + [0, 0, 1]
    np.testing.assert_allclose(at(normal, 0, 0), expected / np.linalg.norm(expected), atol=1e-3)
    flat, _, _ = lit(plate(), light=replace(KEY, key=key))
    opposite, _, _ = lit(sloped, light=replace(KEY, key=(-key[0], -key[1], 1.0)))
    assert at(out, 0, 0)[1] < at(flat, 0, 0)[1] < at(opposite, 0, 0)[1]


def test_textures_are_read_upright():
    texture = np.zeros((8, 8, 3), np.float32)
    texture[:4, :, 0] = 1  # the upper half is red
    texture[:, 4:, 2] = 1  # the right half is blue
    out, _, _ = lit(plate(texture=texture, upright=True))
    for x, y, red, blue in ((-2, 2, 1, 0), (2, 2, 1, 1), (-2, -2, 0, 0), (2, -2, 0, 1)):
        assert (at(out, x, y)[0] > 0.3) == bool(red) and (at(out, x, y)[2] > 0.3) == bool(blue)


def test_bias_lets_outer_layers_win():
    inner, outer = plate(name="inner"), plate(z=-0.05, name="outer")
    buffer, bases = draw([inner, outer], LENS, SIDE, SIDE)
    assert bases == [0, len(inner.faces)]
    seen = buffer.triangle[buffer.triangle >= 0]
    assert len(seen) > 1000 and seen.max() < bases[1]
    buffer, _ = draw([inner, replace(outer, bias=0.1)], LENS, SIDE, SIDE)
    assert buffer.triangle[buffer.triangle >= 0].min() >= bases[1]


def test_hollows_get_less_light_from_all_round():
    flat = np.full((SIDE, SIDE), 30.0, np.float32)
    np.testing.assert_allclose(openness(flat, SCALE), 1, atol=1e-5)
    groove = flat.copy()
    groove[:, 28:36] += 2.0
    open_ = openness(groove, SCALE)
    assert open_.shape == groove.shape
    assert open_[32, 32] < 0.9 and open_[32, 4] > 0.97
    assert open_.min() > 0 and open_.max() <= 1 + 1e-6
    deeper = flat.copy()
    deeper[:, 28:36] += 0.5
    assert open_[32, 32] < openness(deeper, SCALE)[32, 32] < 1
    np.testing.assert_array_equal(openness(np.full((SIDE, SIDE), FAR), SCALE), 1)


def test_develop_is_monotone_and_stays_in_range():
    linear = np.linspace(0, 6, 4001).astype(np.float32)
    shown = develop(linear)
    assert shown.dtype == np.float32
    assert shown[0] == 0 and shown.max() <= 1
    assert (np.diff(shown) >= 0).all() and (np.diff(shown[linear < 1.5]) > 0).all()
    assert np.abs(np.diff(shown[linear > 0.1])).max() < 0.01  # no step where the roll-off begins
    dark = linear < 0.7
    np.testing.assert_allclose(shown[dark] ** 2.2, linear[dark], atol=1e-5)
    assert develop(np.float32([-0.2]))[0] == 0


def test_drawn_lights_are_plain_data_above_the_camera_on_either_side():
    lights = [sample_light(stream(2, k, "light")) for k in range(200)]
    assert lights[0] == sample_light(stream(2, 0, "light")) != lights[1]
    for light in lights[:5]:
        data = json.loads(json.dumps(light.params()))
        assert LightSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}) == light
    key = np.array([light.key for light in lights])
    assert (key[:, 1] > 0).all() and (key[:, 2] > 0).all()
    assert 0.35 < (key[:, 0] > 0).mean() < 0.65
    assert all(light.fill[0] * light.key[0] < 0 for light in lights)  # from the other side
    assert all(light.key_strength > light.fill_strength >= 0 and light.ambient > 0 for light in lights)
