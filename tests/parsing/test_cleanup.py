from __future__ import annotations

import numpy as np
import pytest
from people import labels, pose

from vto_utils.labels import ID
from vto_utils.parsing import clean_labels
from vto_utils.parsing.cleanup import own_person
from vto_utils.pose import Pose


def mask_of(ids: np.ndarray) -> np.ndarray:
    return np.where(ids > 0, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("with_pose", [False, True])
def test_a_clean_map_stays(with_mask, with_pose):
    ids = labels()
    before = ids.copy()
    cleaned = clean_labels(ids, mask_of(ids) if with_mask else None, pose() if with_pose else None)
    np.testing.assert_array_equal(cleaned, before)
    np.testing.assert_array_equal(ids, before)  # the given map is not changed
    assert cleaned is not ids and cleaned.dtype == np.uint8
    np.testing.assert_array_equal(clean_labels(cleaned, None, pose()), cleaned)


def test_holes_close_and_gaps_beside_the_body_stay():
    ids = labels()
    broken = ids.copy()
    broken[150:154, 110:114] = 0
    np.testing.assert_array_equal(clean_labels(broken, mask_of(ids), pose()), ids)
    np.testing.assert_array_equal(clean_labels(broken), ids)
    ring = ids.copy()
    ring[150:152, 90:150] = 0  # long and thin within the mask: a seam
    np.testing.assert_array_equal(clean_labels(ring, mask_of(ids), pose()), ids)
    assert not clean_labels(ids, mask_of(ids), pose())[230:330, 117:123].any()  # between the legs


def test_a_bag_is_background():
    ids = labels()
    mask = mask_of(ids)
    mask[220:280, 160:200] = 255  # a bag at the hip, which the mask takes for the person
    mask[210:222, 170:180] = 255
    cleaned = clean_labels(ids, mask, pose())
    assert not cleaned[224:276, 164:196].any()
    np.testing.assert_array_equal(cleaned[ids > 0], ids[ids > 0])


def test_islands_take_the_label_around_them():
    ids = labels()
    broken = ids.copy()
    broken[150:155, 110:115] = ID["pants"]  # within the top
    broken[194:198, 120:124] = ID["dress"]  # between top and trousers, lower half and more in the trousers
    broken[300:303, 90:93] = ID["hair"]
    cleaned = clean_labels(broken, mask_of(ids), pose())
    assert (cleaned[150:155, 110:115] == ID["upper-clothes"]).all()
    assert set(np.unique(cleaned[194:198, 120:124])) <= {ID["upper-clothes"], ID["pants"]}
    assert (cleaned[300:303, 90:93] == ID["pants"]).all()
    speck = ids.copy()
    speck[10:13, 10:13] = ID["skirt"]  # touches nothing
    np.testing.assert_array_equal(clean_labels(speck), ids)


def test_a_hand_at_the_end_of_a_sleeve_stays():
    ids = labels()
    tiny = ids.copy()
    tiny[192:216, 56:72] = 0
    tiny[194:200, 60:66] = ID["right-arm"]  # what is seen of a hand
    tiny[150:156, 118:124] = ID["right-arm"]  # as large, in the middle of the belly
    cleaned = clean_labels(tiny, None, pose())
    assert (cleaned[194:200, 60:66] == ID["right-arm"]).all()
    assert (cleaned[150:156, 118:124] == ID["upper-clothes"]).all()
    apart = ids.copy()
    apart[188:194, 50:76] = 0  # a bracelet that the mask leaves out parts the hand from the sleeve
    kept = clean_labels(apart, mask_of(apart), pose())
    assert (kept[196:214, 58:70] == ID["right-arm"]).all()


def test_face_and_hair_are_never_lost():
    ids = np.where(np.isin(labels(), (ID["hair"], ID["face"])), ID["upper-clothes"], labels()).astype(np.uint8)
    ids[21:24, 110:113], ids[60:63, 118:121] = ID["hair"], ID["face"]
    cleaned = clean_labels(ids, mask_of(ids), pose())
    assert (cleaned == ID["hair"]).sum() == 9 and (cleaned == ID["face"]).sum() == 9
    shirt = labels()
    shirt[120:140, 110:130] = ID["face"]  # a portrait printed on the shirt
    assert (clean_labels(shirt, mask_of(shirt), pose())[120:140, 110:130] == ID["upper-clothes"]).all()


def test_nothing_outside_the_mask_has_a_label():
    ids = labels()
    mask = mask_of(ids)
    mask[:, 150:] = 0
    cleaned = clean_labels(ids, mask, pose())
    assert not cleaned[:, 150:].any() and cleaned[:, :150].any()


def test_everything_inside_the_mask_has_a_label():
    ids = labels()
    mask = mask_of(ids)
    eroded = ids.copy()
    eroded[:, :60] = eroded[:, 182:] = 0
    eroded[196:200] = 0
    cleaned = clean_labels(eroded, mask, pose())
    assert ((cleaned > 0) == (mask > 0)).all()


def test_the_second_person_goes():
    ids = np.concatenate([labels(), labels()], axis=1)
    for x in (0, 240):
        cleaned = clean_labels(ids, mask_of(ids), pose(x=x))
        np.testing.assert_array_equal(cleaned[:, x : x + 240], labels())
        assert np.count_nonzero(cleaned) == np.count_nonzero(labels())
    assert np.count_nonzero(clean_labels(ids, mask_of(ids))) == np.count_nonzero(ids)  # nobody says who is meant


def test_a_foot_beyond_a_bar_belongs_to_the_person():
    inside = labels() > 0
    inside[320:344] = False
    points = pose().keypoints.copy()
    points[10, 1], points[13, 1] = 355, 355  # both ankles below the bar
    kept = own_person(inside, Pose(points))
    np.testing.assert_array_equal(kept, inside)
    np.testing.assert_array_equal(own_person(inside, pose(x=1000)), inside)  # a pose that lies elsewhere says nothing


def test_maps_without_anything_and_of_any_size():
    empty = np.zeros((7, 5), np.uint8)
    assert not clean_labels(empty, empty, pose(0.01)).any()
    one = np.full((1, 1), ID["face"], np.uint8)
    assert clean_labels(one, np.full((1, 1), 255, np.uint8)).tolist() == [[ID["face"]]]
    with pytest.raises(ValueError, match="same size"):
        clean_labels(empty, one)


def test_noise_becomes_a_calm_map():
    ids = labels()
    rng = np.random.default_rng(0)
    noisy = np.where((rng.random(ids.shape) < 0.1) & (ids > 0), rng.integers(0, 20, ids.shape), ids).astype(np.uint8)
    cleaned = clean_labels(noisy, mask_of(ids), pose())
    assert (cleaned == ids).mean() > 0.98 > (noisy == ids)[ids > 0].mean()


def test_a_hand_is_of_one_side():
    ids = labels()
    tip = ids.copy()
    tip[212:216, 56:72] = ID["left-arm"]  # fingertips of the right hand that lie nearer to the left one
    np.testing.assert_array_equal(clean_labels(tip, mask_of(ids), pose()), ids)
    folded = ids.copy()
    folded[150:166, 90:120], folded[150:166, 120:150] = ID["left-arm"], ID["right-arm"]
    np.testing.assert_array_equal(clean_labels(folded, mask_of(ids), pose()), folded)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ((("upper-clothes", 20), ("dress", 10), ("skirt", 30)), (("upper-clothes", 20), ("skirt", 40))),
        (
            (("upper-clothes", 20), ("dress", 10), ("upper-clothes", 5), ("pants", 30)),
            (("upper-clothes", 35), ("pants", 30)),
        ),
        ((("upper-clothes", 20), ("dress", 30), ("skirt", 20)), (("upper-clothes", 20), ("skirt", 50))),
        ((("upper-clothes", 5), ("dress", 30), ("skirt", 20)), (("upper-clothes", 5), ("dress", 30), ("skirt", 20))),
        ((("dress", 50), ("skirt", 10)), (("dress", 60),)),
        ((("dress", 30), ("pants", 30)), (("dress", 30), ("pants", 30))),  # a tunic over trousers
    ],
)  # fmt: skip
def test_half_a_dress_is_none(said, wanted):
    def column(parts):
        rows = np.concatenate([np.full(count, ID[name], np.uint8) for name, count in parts])
        return np.repeat(rows[:, None], 20, 1)

    assert np.array_equal(clean_labels(column(said)), column(wanted))
