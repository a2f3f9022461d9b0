from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from dataset_files import OWN, body
from drawn_samples import a_sample, inner, warped
from scipy.ndimage import map_coordinates

from vto_utils.datasets.motion import Fit, affine, flip_garment, flip_person, move_garment, move_person, round_garment
from vto_utils.datasets.sample import to_item
from vto_utils.labels import ID

HEIGHT, WIDTH = OWN


def test_flipping_both_mirrors_the_warped_garment_exactly():
    sample = a_sample()
    before, after = warped(sample), warped(flip_garment(flip_person(sample)))
    assert np.abs(after - before[:, ::-1]).max() < 1e-2  # of 255
    assert np.abs(before).max() > 100


def test_flipping_the_person_alone_leaves_the_garment():
    """The same places of the same garment picture, seen from the other side."""
    sample = a_sample()
    flipped = flip_person(sample)
    assert np.array_equal(flipped.cloth, sample.cloth)
    assert np.array_equal(flipped.flow, sample.flow[:, ::-1])
    assert np.array_equal(warped(flipped), warped(sample)[:, ::-1])
    assert np.array_equal(flipped.target, sample.target[:, ::-1])


def test_flipping_the_garment_alone_leaves_the_person():
    sample = a_sample()
    flipped = flip_garment(sample)
    assert np.array_equal(flipped.person, sample.person) and np.array_equal(flipped.flow_valid, sample.flow_valid)
    assert np.array_equal(flipped.flow[..., 0], -sample.flow[..., 0])
    assert np.array_equal(flipped.flow[..., 1], sample.flow[..., 1])
    assert np.abs(warped(flipped) - warped(sample)).max() < 1e-2


def test_two_flips_change_nothing():
    sample = a_sample()
    sample.keypoints[4] = 0
    twice = flip_person(flip_person(flip_garment(flip_garment(sample))))
    for name in ("person", "parse", "target", "target_parse", "target_garment", "cloth", "flow", "keypoints"):
        assert np.allclose(getattr(twice, name), getattr(sample, name), atol=1e-5), name


def test_left_and_right_are_exchanged():
    sample = a_sample()
    sample.keypoints[5] = 0  # the left shoulder is not known
    flipped = flip_person(sample)
    assert flipped.parse[50, WIDTH - 1 - 30] == ID["left-arm"] and sample.parse[50, 30] == ID["right-arm"]
    assert flipped.target_parse[117, WIDTH - 1 - 40] == ID["left-shoe"]
    assert not flipped.keypoints[2].any()
    assert np.allclose(flipped.keypoints[5, :2], (WIDTH - sample.keypoints[2, 0], sample.keypoints[2, 1]))
    assert np.allclose(flipped.keypoints[0], (WIDTH - sample.keypoints[0, 0], *sample.keypoints[0, 1:]))


def test_key_points_go_with_the_pixels():
    """A dot painted at a key point is found at the moved key point, after flips and moves."""
    sample = a_sample()
    matrix = affine(OWN, (3.0, -4.0), 1.1, 5.0)
    for index in (3, 9, 13):
        x, y, _ = sample.keypoints[index]
        picture = np.zeros((*OWN, 3), np.uint8)
        picture[int(y) - 1 : int(y) + 1, int(x) - 1 : int(x) + 1] = 255  # its middle is the corner (x, y)
        moved = move_person(flip_person(replace(sample, person=picture)), matrix)
        ys, xs = np.nonzero(moved.person[..., 0] > 60)
        place = xs.mean() + 0.5, ys.mean() + 0.5
        other = {3: 6, 9: 12, 13: 10}[index]
        assert np.allclose(moved.keypoints[other, :2], place, atol=0.35)


def test_a_moved_person_keeps_its_garment():
    sample = a_sample()
    matrix = affine(OWN, (2.5, -3.0), 1.07, 4.0)
    moved = move_person(sample, matrix)
    assert moved.flow_valid.sum() > 0.9 * sample.flow_valid.sum()
    assert np.abs(warped(moved) - moved.target)[inner(moved.flow_valid)].max() < 4
    # The flow is what it was at the old places; at the rim it can be that of a neighbour half a pixel inside.
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    inverse = cv2.invertAffineTransform(matrix)
    old = np.stack([x, y], -1) @ inverse[:, :2].T + inverse[:, 2]
    true_x = 0.7 * (2 * old[..., 0] / WIDTH - 1) + 0.1 * np.sin(4 * old[..., 1] / HEIGHT) + 0.1
    error = np.abs(moved.flow[..., 0] - true_x)
    assert error[inner(moved.flow_valid)].max() < 1e-4 and error[moved.flow_valid].max() < 0.5 * 0.7 * 2 / WIDTH * 1.5


def test_a_moved_garment_is_read_at_its_new_place():
    sample = a_sample()
    moved = move_garment(sample, affine(OWN, (-4.0, 3.0), 0.93, -6.0))
    assert np.array_equal(moved.person, sample.person)
    seen = moved.flow_valid
    assert seen.sum() > 0.9 * sample.flow_valid.sum()
    assert np.abs(warped(moved) - warped(sample))[seen].mean() < 1.5
    away = move_garment(sample, affine(OWN, (2.0 * WIDTH, 0.0), 1.0, 0.0))
    assert not away.flow_valid.any() and not away.flow.any() and (away.cloth == 255).all()


@pytest.mark.parametrize("angle", [1.2, 1.9])
def test_a_garment_on_a_doll_is_read_at_its_new_place(angle):
    sample = a_sample()
    rounded = round_garment(sample, angle, 1.3, yoke=0.8)
    assert np.array_equal(rounded.person, sample.person)
    seen = rounded.flow_valid
    assert not rounded.flow[~seen].any()
    assert np.abs(rounded.flow - sample.flow)[seen].max() > 0.02
    assert seen.sum() > 0.75 * sample.flow_valid.sum()
    assert np.abs(warped(rounded) - warped(sample))[inner(seen)].max() < 3  # of 255, read between pixels twice


@pytest.mark.parametrize("angle", [0.5, 1.2, 2.0])
def test_the_sides_of_a_doll_turn_away(angle):
    """A trunk of half-width w, made b times as broad: x goes to sin(a x / w) b w / a until a x / w is pi / 2."""
    mask, cloth = np.zeros(OWN, np.uint8), np.full((*OWN, 3), 255, np.uint8)
    middle, half, top, breadth, narrower = WIDTH // 2, 24, 10, 1.1, 0.8
    mask[top:110, middle - half : middle + half] = 255
    mask[top:40, middle - half - 10 : middle + half + 10] = 255
    flow = np.zeros((*OWN, 2), np.float32)
    flow[..., 0] = np.linspace(-1, 1, WIDTH)
    sample = replace(a_sample(), cloth=cloth, cloth_mask=mask, flow=flow, flow_valid=np.ones(OWN, bool))
    rounded = round_garment(sample, angle, breadth, narrower)

    x, moved = ((picture.flow[0, :, 0] + 1) * WIDTH / 2 - middle for picture in (sample, rounded))
    seen = np.abs(x) <= half * min(1, np.pi / 2 / angle)
    np.testing.assert_allclose(moved[seen], np.sin(angle * x[seen] / half) * breadth * half / angle, atol=1e-3)
    np.testing.assert_allclose(np.diff(moved[x > half]), narrower * np.diff(x[x > half]), atol=1e-3)
    assert np.array_equal(rounded.flow_valid, np.broadcast_to(seen | (np.abs(x) >= half), OWN))

    edge = 2 * breadth * half / angle * np.sin(min(angle, np.pi / 2))
    trunk, sleeved = ((rounded.cloth_mask[row] > 127).sum() for row in (90, 30))
    assert abs(trunk - edge) <= 1 and abs(sleeved - edge - 20 * narrower) <= 1
    assert np.array_equal(rounded.flow[..., 1], flow[..., 1])


def test_what_is_above_the_underarms_is_made_lower():
    """They are taken to be 1.4 half-breadths below the upper end; what is below moves up as it is."""
    sample = a_sample()
    mask = np.zeros(OWN, np.uint8)
    mask[10:110, 30:70] = 255
    flow = np.zeros((*OWN, 2), np.float32)
    flow[..., 1] = np.linspace(-1, 1, OWN[0])[:, None]
    sample = replace(sample, cloth_mask=mask, flow=flow, flow_valid=np.ones(OWN, bool))
    shorter = round_garment(sample, 0.01, yoke=0.5)
    below = (flow[:, 0, 1] + 1) * OWN[0] / 2 - 10
    expected = np.minimum(below, 28) * 0.5 + np.maximum(below - 28, 0) + 10
    np.testing.assert_allclose((shorter.flow[:, 0, 1] + 1) * OWN[0] / 2, expected, atol=1e-3)
    rows = np.flatnonzero((shorter.cloth_mask > 127).any(1))
    assert abs(rows[0] - 10) <= 1 and abs(rows[-1] - (109 - 14)) <= 1


@pytest.mark.parametrize("columns", [(), (20, -21)])  # nothing, or nothing in its middle
def test_what_has_no_trunk_stays_as_it_is(columns):
    mask = np.zeros(OWN, np.uint8)
    mask[10:100, list(columns)] = 255
    sample = replace(a_sample(), cloth_mask=mask)
    rounded = round_garment(sample, 1.2)
    assert np.array_equal(rounded.cloth, sample.cloth) and np.array_equal(rounded.flow, sample.flow)


def test_whole_pixels_are_moved_exactly():
    sample = a_sample()
    moved = move_person(sample, affine(OWN, (5.0, 7.0), 1.0, 0.0))
    for name in ("person", "target", "parse", "target_garment"):
        assert np.array_equal(getattr(moved, name)[7:, 5:], getattr(sample, name)[:-7, :-5]), name
    inside = moved.flow_valid[7:, 5:]
    assert np.allclose(moved.flow[7:, 5:][inside], sample.flow[:-7, :-5][inside], atol=1e-6)


def test_points_that_leave_the_picture_are_unknown():
    moved = move_person(a_sample(), affine(OWN, (0.0, 30.0), 1.0, 0.0))
    assert not moved.keypoints[[10, 13], 2].any() and moved.keypoints[0, 2] > 0
    assert not to_item(moved)["keypoints"][10].any()


def test_values_of_two_parts_are_not_mixed():
    """A sleeve before the body: between them lies no place of the garment."""
    flow = np.zeros((*OWN, 2), np.float32)
    flow[:, :48, 0], flow[:, 48:, 0] = -0.5, 0.5
    sample = replace(a_sample(), flow=flow, flow_valid=np.ones(OWN, bool))
    moved = move_person(sample, affine(OWN, (0.5, 0.0), 1.0, 0.0))
    values = moved.flow[moved.flow_valid][:, 0]
    assert np.abs(np.abs(values) - 0.5).max() < 1e-5 and moved.flow_valid.mean() > 0.95


@pytest.mark.parametrize("size", [(64, 48), (32, 24), (96, 72), (64, 64), (192, 144)])
def test_resizing_keeps_the_warp(size):
    sample, fit = a_sample(), Fit(OWN, size)
    flow, valid = fit.flow(sample.flow, sample.flow_valid)
    small = replace(
        sample, flow=flow, flow_valid=valid, cloth=fit.picture(sample.cloth), target=fit.picture(sample.target),
    )  # fmt: skip
    assert valid.sum() > 0.7 * sample.flow_valid.sum() * np.prod(fit.inner) / np.prod(OWN)
    assert np.abs(warped(small) - small.target)[inner(valid)].mean() < 3
    assert not flow[~valid].any()


def test_labels_are_read_in_the_middle_of_pixels():
    ids = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert Fit((8, 8), (2, 2)).labels(ids).tolist() == [[18, 22], [50, 54]]
    whole = body()
    half = Fit(OWN, (64, 48)).labels(whole)
    assert np.array_equal(half, whole[1::2, 1::2])


def test_resized_pictures_do_not_shift():
    """The centre of mass of a blob stays at its share of the picture."""
    picture = np.zeros((*OWN, 3), np.uint8)
    cv2.circle(picture, (30, 80), 12, (255, 255, 255), -1)
    for size in ((64, 48), (96, 72), (256, 192)):
        small = Fit(OWN, size).picture(picture)[..., 0].astype(float)
        ys, xs = np.mgrid[0 : size[0], 0 : size[1]] + 0.5
        x, y = (small * xs).sum() / small.sum(), (small * ys).sum() / small.sum()
        assert np.allclose((x / size[1], y / size[0]), (30.5 / WIDTH, 80.5 / HEIGHT), atol=2e-3)


def test_warped_agrees_with_another_implementation():
    sample = a_sample()
    places = (sample.flow + 1) * np.array([WIDTH, HEIGHT]) / 2 - 0.5
    read = map_coordinates(sample.cloth[..., 1].astype(float), [places[..., 1], places[..., 0]], order=1)
    assert np.abs(read - warped(sample)[..., 1])[sample.flow_valid].max() < 1e-2
