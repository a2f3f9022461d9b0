from __future__ import annotations

import numpy as np
import pytest
from drawn_labels import body

from vto_utils import labels
from vto_utils.errors import InputError
from vto_utils.label_schemes import SCHEMES, from_cihp, guess_scheme, to_cihp

ID = labels.ID
OTHERS = ("lip", "atr", "acgpn")

# What SCHP's ATR model calls its ids, and ACGPN's authors theirs.
ATR = (
    "background", "hat", "hair", "sunglasses", "upper-clothes", "skirt", "pants", "dress", "belt", "left-shoe",
    "right-shoe", "face", "left-leg", "right-leg", "left-arm", "right-arm", "bag", "scarf",
)  # fmt: skip
ACGPN = {
    0: "background", 1: "hair", 4: "upper-clothes", 5: "left-shoe", 6: "right-shoe", 8: "pants", 9: "left-leg",
    10: "right-leg", 11: "left-arm", 12: "face", 13: "right-arm",
}  # fmt: skip


def one(number: int) -> np.ndarray:
    return np.full((2, 3), number, np.uint8)


# Tables -------------------------------------------------------------------------------------------


def test_atr_ids_become_what_their_names_say():
    for number, name in enumerate(ATR):
        expected = {"belt": ID["upper-clothes"], "bag": 0}.get(name, ID.get(name))
        picture = one(number)
        if name == "belt":
            picture[0] = ATR.index("upper-clothes")
        assert (to_cihp(picture, "atr") == expected).all(), name
        if name not in ("belt", "bag"):
            assert (from_cihp(one(expected), "atr") == number).all(), name


def test_acgpn_ids_become_what_their_names_say():
    for number, name in ACGPN.items():
        assert (to_cihp(one(number), "acgpn") == ID[name]).all(), name
        assert (from_cihp(one(ID[name]), "acgpn") == number).all(), name
    assert (to_cihp(one(7), "acgpn") == ID["upper-clothes"]).all()  # noise


def test_lip_differs_only_in_10_and_20():
    for number in range(20):
        assert (to_cihp(one(number), "lip") == (ID["dress"] if number == 10 else number)).all()
        assert (from_cihp(one(number), "lip") == (20 if number == ID["torso-skin"] else number)).all()
    assert (to_cihp(one(20), "lip") == ID["torso-skin"]).all()


def test_cihp_stays_and_dresscode_is_atr():
    every = np.arange(20, dtype=np.int64).reshape(4, 5)
    for converted in (to_cihp(every, "cihp"), from_cihp(every, "cihp")):
        assert converted.dtype == np.uint8 and converted is not every
        np.testing.assert_array_equal(converted, every)
    np.testing.assert_array_equal(from_cihp(body(), "dresscode"), from_cihp(body(), "atr"))


@pytest.mark.parametrize("scheme", OTHERS)
def test_tables_cover_cihp_and_stay_inside_the_scheme(scheme):
    table = SCHEMES[scheme]
    assert {*table.from_cihp, *table.joins_back} == set(range(20))
    assert set(table.from_cihp.values()) <= {*table.to_cihp, *table.joins}
    assert set(table.to_cihp.values()) <= set(range(20))


# Round trips --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "lost"),
    [
        ("lip", set()),
        ("atr", {"glove", "coat", "socks", "torso-skin"}),
        ("acgpn", {"hat", "glove", "sunglasses", "dress", "coat", "socks", "torso-skin", "scarf", "skirt"}),
    ],
)
def test_round_trip_from_cihp_keeps_all_but_what_the_scheme_lacks(scheme, lost):
    kept = np.array([[number for name, number in ID.items() if name not in lost]], np.uint8)
    np.testing.assert_array_equal(to_cihp(from_cihp(kept, scheme), scheme), kept)
    for name in lost:
        picture = np.array([[ID[name], ID["left-arm"], ID["left-shoe"]]], np.uint8)
        assert to_cihp(from_cihp(picture, scheme), scheme)[0, 0] != ID[name]


@pytest.mark.parametrize(("scheme", "lost"), [("lip", {10}), ("atr", {8, 16}), ("acgpn", {7})])
def test_round_trip_from_the_scheme(scheme, lost):
    kept = np.array([sorted(set(SCHEMES[scheme].to_cihp) - lost)], np.uint8)
    np.testing.assert_array_equal(from_cihp(to_cihp(kept, scheme), scheme), kept)


def test_gloves_and_socks_join_what_is_nearest():
    ids = body()
    ids[66:70, 26:34] = ids[66:70, 62:70] = ID["glove"]
    ids[108:114, 35:46] = ids[108:114, 50:61] = ID["socks"]
    for scheme in ("atr", "acgpn"):
        again = to_cihp(from_cihp(ids, scheme), scheme)
        assert (again[66:70, 26:34] == ID["right-arm"]).all() and (again[66:70, 62:70] == ID["left-arm"]).all()
        right, left = (np.unique(again[108:114, a:b]).tolist() for a, b in ((35, 46), (50, 61)))
        assert set(right) <= {ID["right-leg"], ID["right-shoe"]} and ID["right-shoe"] in right
        assert set(left) <= {ID["left-leg"], ID["left-shoe"]} and ID["left-leg"] in left
    assert not from_cihp(one(ID["glove"]), "atr").any()  # no arm to belong to


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [("pants", "upper-clothes", "pants"), ("skirt", "coat", "skirt"), ("dress", "dress", "dress")],
)
def test_a_belt_becomes_part_of_what_it_holds(lower, upper, expected):
    ids = from_cihp(body(lower, upper), "atr")
    ids[64:68, 34:62] = ATR.index("belt")
    assert (to_cihp(ids, "atr")[64:68, 34:62] == ID[expected]).all()


# Guessing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lower", ["pants", "skirt"])
@pytest.mark.parametrize("upper", ["upper-clothes", "dress"])
@pytest.mark.parametrize("rows", [128, 90])  # whole, and down to the thighs
def test_guess_of_a_standing_person(lower, upper, rows):
    ids = body(lower, upper)[:rows]
    assert guess_scheme(ids) == "cihp"
    assert guess_scheme(from_cihp(ids, "atr")) == "atr"
    assert guess_scheme(from_cihp(ids, "lip")) == "lip"  # by the neck
    if upper != "dress":
        assert guess_scheme(from_cihp(ids, "acgpn")) == "acgpn"


def test_lip_without_a_neck_cannot_be_told_from_cihp():
    ids = from_cihp(body(), "lip")
    ids[ids == 20] = 0
    assert guess_scheme(ids) == "cihp"


def test_no_guess_from_too_little():
    headless = body()
    headless[:29] = 0
    assert guess_scheme(headless) is None
    assert guess_scheme(np.where(np.isin(body(), (5, 13)), body(), 0)) is None  # two parts only
    assert guess_scheme(body()[::-1]) is None  # upside down
    assert guess_scheme(np.zeros((8, 8), np.uint8)) is None
    assert guess_scheme(np.full((8, 8), 77, np.uint8)) is None


# Errors -------------------------------------------------------------------------------------------


def test_errors_say_what_to_do():
    with pytest.raises(InputError, match=r"'ccp' is not known: use one of cihp, lip, atr, dresscode, acgpn\.$"):
        to_cihp(body(), "ccp")
    with pytest.raises(InputError, match=r"holds 18, 19, which ATR-18 .* does not have: name the scheme"):
        to_cihp(body(), "atr")
    with pytest.raises(InputError, match=r"holds 20, which CIHP-20 does not have"):
        from_cihp(from_cihp(body(), "lip"), "atr")
    with pytest.raises(InputError, match=r"holds -1, "):
        to_cihp(np.array([[0, -1]]), "cihp")
    for wrong in (body().astype(float), body()[None]):
        with pytest.raises(InputError, match="give one id per pixel"):
            to_cihp(wrong, "atr")
