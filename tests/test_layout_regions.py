from __future__ import annotations

import numpy as np
import pytest
from drawn_labels import body as drawn_body
from test_fitting import identity, upright

from vto_utils import labels, layout_regions
from vto_utils.body import Body
from vto_utils.fitting import SIZE, Placement, Window
from vto_utils.labels import ID
from vto_utils.networks import LAYOUT

FACTOR = 4


def decided(classes: np.ndarray, category: str = "upper_body"):
    """Regions of the drawn person for a (128, 96) target layout."""
    ids, pose = upright(FACTOR)
    return layout_regions.read(placement(classes), ids, Body.measure(pose, ids), category)


def placement(classes: np.ndarray) -> Placement:
    sure = np.eye(len(LAYOUT), dtype=np.float32)[classes.repeat(2, 0).repeat(2, 1)] * 0.98 + 0.02 / len(LAYOUT)
    flat = np.zeros((*SIZE, 3), np.float32)
    return Placement(
        (128 * FACTOR, 96 * FACTOR), Window(0, 0, 96 * FACTOR, 128 * FACTOR), identity(SIZE), sure, flat, flat[..., 0]
    )


def layout(**boxes: tuple[int, int, int, int]) -> np.ndarray:
    classes = np.zeros((128, 96), int)
    for name, (top, bottom, left, right) in boxes.items():
        classes[top:bottom, left:right] = LAYOUT.index(name.replace("_", "-"))
    return classes


def middle(mask: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    return mask[top * FACTOR : bottom * FACTOR, left * FACTOR : right * FACTOR]


def test_every_old_place_becomes_what_the_layout_says():
    """A short, narrow top on one that was longer and wider: skin, trousers and wall appear."""
    found = decided(layout(garment=(34, 50, 38, 58), torso_skin=(29, 34, 38, 58), lower_garment=(50, 66, 38, 58)))
    assert middle(found.skin, 30, 33, 40, 56).all()
    assert middle(found.lower, 52, 64, 40, 56).all()
    assert middle(found.background, 36, 60, 35, 37).all()
    assert middle(found.snug, 36, 48, 40, 56).all()
    for one, other in (("skin", "lower"), ("skin", "background"), ("lower", "background")):
        assert not (getattr(found, one) & getattr(found, other)).any()
    assert not (found.skin & ~found.old).any() and not (found.background & ~found.old).any()
    below = labels.select(drawn_body().repeat(FACTOR, 0).repeat(FACTOR, 1), (ID["pants"],))
    assert not (found.skin & below).any()


def test_bare_arms_stay_in_front_where_the_layout_has_them():
    arms = dict(right_arm=(32, 70, 26, 34))
    assert middle(decided(layout(garment=(29, 66, 34, 62), **arms)).front, 34, 68, 27, 33).all()
    assert not decided(layout(garment=(29, 66, 26, 62))).front.any()  # now in a sleeve


def test_shade_grows_towards_the_edge_of_a_limb():
    shade = decided(layout(garment=(29, 66, 34, 62), right_arm=(32, 70, 22, 34))).shade
    row = shade[50 * FACTOR, 22 * FACTOR : 34 * FACTOR]
    assert row[:3].max() > 0.5 and row[-3:].max() > 0.5 and row[len(row) // 2] < 0.1
    assert not middle(decided(layout(garment=(29, 66, 34, 62))).shade, 32, 70, 22, 33).any()


@pytest.mark.parametrize("name", ["left_arm", "torso_skin", "lower_garment", "other"])
def test_what_is_wide_lies_in_front_and_slivers_do_not(name):
    unit = 26 * FACTOR
    size = (128 * FACTOR, 96 * FACTOR)
    classes = layout(garment=(20, 110, 20, 80))
    classes[40:52, 30:60] = LAYOUT.index(name.replace("_", "-"))
    found = layout_regions.in_front(placement(classes), size, unit)
    assert found.shape == size and found.min() >= 0 and found.max() <= 1
    assert middle(found, 43, 49, 33, 57).min() == 1
    assert middle(found, 60, 100, 25, 75).max() == 0
    column = np.flatnonzero(found[20 * FACTOR : 110 * FACTOR, 45 * FACTOR] > 0.5) + 20 * FACTOR
    assert abs(column[0] - 40 * FACTOR) <= 2 and abs(column[-1] + 1 - 52 * FACTOR) <= 2  # edges are where they were

    thin = placement(layout(garment=(20, 110, 20, 80)))
    chances = thin.layout.copy()
    chances[100, 40:160] = np.eye(len(LAYOUT))[LAYOUT.index(name.replace("_", "-"))]  # one of 256 rows
    found = layout_regions.in_front(
        Placement(*[*vars(thin).values()][:3], chances, *[*vars(thin).values()][4:]), size, unit
    )
    assert middle(found, 45, 55, 30, 70).max() == 0


def test_specks_go_and_pinholes_close():
    classes = layout(garment=(20, 80, 20, 70), lower_garment=(80, 120, 20, 70))
    whole = np.eye(len(LAYOUT), dtype=np.float32)[classes] * 0.5 + 0.5 / len(LAYOUT)
    dirty = whole.copy()
    dirty[100:108, 40:50] = whole[40, 40]  # 80 of 3080 pixels
    dirty[40:43, 40:44] = whole[0, 0]
    dirty[50:60, 40:50] = whole[0, 0]  # too large for a mistake
    found = layout_regions.settle(dirty)
    expected = classes.copy()
    expected[50:60, 40:50] = 0
    assert (found[100:108, 40:50].argmax(2) != LAYOUT.index("garment")).all()
    found[100:108, 40:50] = whole[100, 30]
    np.testing.assert_array_equal(found.argmax(2), expected)
    np.testing.assert_allclose(found.sum(2), 1, atol=1e-6)
    np.testing.assert_array_equal(layout_regions.settle(whole), whole)


def test_a_garment_ends_where_its_photo_says():
    """The layout lets the top end too early at neck, sleeve and side; an arm before the chest stays there."""
    classes = layout(garment=(30, 80, 30, 70), torso_skin=(20, 30, 40, 60), right_arm=(20, 80, 20, 30))
    classes[50:60, 40:50] = LAYOUT.index("left-arm")
    classes[80:100, 30:70] = LAYOUT.index("lower-garment")
    chances = np.eye(len(LAYOUT), dtype=np.float32)[classes] * 0.5 + 0.5 / len(LAYOUT)
    covered = np.zeros(classes.shape, bool)
    covered[27:90, 25:73] = True
    covered[27:30, 45:50] = False  # the neck opening
    sleeves = covered & (np.arange(classes.shape[1]) < 30)
    found = layout_regions.extend(chances, covered, sleeves, classes == 0, 60.0)
    np.testing.assert_allclose(found.sum(2), 1, atol=1e-5)
    worn = found.argmax(2) == LAYOUT.index("garment")
    assert worn[27:30, 41:44].all() and not worn[27:29, 47].any()  # as far as its neckline
    assert worn[35:75, 25:30].all() and worn[35:75, 70:73].all()  # its sleeve, its side
    assert not worn[50:60, 40:50].any() and not worn[80:, 30:70].any()  # an arm in front, tucked in
    assert not worn[:26].any() and not worn[:, :24].any() and not worn[:, 75:].any()
    untouched = ~worn | (classes == LAYOUT.index("garment"))
    np.testing.assert_allclose(found[untouched], chances[untouched], atol=1e-6)
    others = [n for n, name in enumerate(LAYOUT) if name != "garment"]
    assert np.array_equal(found[..., others].argmax(2), chances[..., others].argmax(2))  # what lies under it
    assert not (layout_regions.extend(chances, covered, sleeves, classes == 0, 5.0).argmax(2) == 1)[:, 25:28].any()


@pytest.mark.parametrize("chance, over", [(0.45, False), (0.55, True), (0.9, True), (0.1, False)])
def test_a_doubtful_hem_hangs_over_or_does_not(chance, over):
    """Chances that differ from pixel to pixel have one answer; what does not lie below stays as it was."""
    rng = np.random.default_rng(0)
    doubt = np.clip(chance + rng.normal(0, 0.15, (40, 30)), 0.01, 0.99).astype(np.float32)
    chances = np.zeros((40, 30, len(LAYOUT)), np.float32)
    chances[..., LAYOUT.index("garment")], chances[..., LAYOUT.index("lower-garment")] = doubt, 1 - doubt
    chances[25:28, 3:6] = np.eye(len(LAYOUT), dtype=np.float32)[LAYOUT.index("left-arm")]
    below, covered = np.zeros((40, 30), bool), np.zeros((40, 30), bool)
    below[20:, 2:28], covered[:35, 5:25] = True, True
    found = layout_regions.hang(chances, covered, below)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    assert np.array_equal(found[~below], chances[~below])
    worn = found.argmax(-1) == LAYOUT.index("garment")
    assert worn[28:35, 5:25].all() == over and worn[28:35, 5:25].any() == over
    assert (found[25:28, 3:6].argmax(-1) == LAYOUT.index("left-arm")).all()
    if over:  # where the garment does not reach, nothing is said
        assert np.array_equal(found[36:], chances[36:])


def test_a_garment_that_ends_above_asks_nothing():
    chances = np.full((8, 6, len(LAYOUT)), 1 / len(LAYOUT), np.float32)
    below = np.arange(8)[:, None].repeat(6, 1) > 4
    assert layout_regions.hang(chances, ~below, below) is chances
