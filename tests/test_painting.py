from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from samples import CLOTHS, PEOPLE, SIZE, garment, person, tank_top, tryon

from vto_utils import filters, labels, painting
from vto_utils.agnostic import agnostic_mask
from vto_utils.body import Body
from vto_utils.garment import Garment
from vto_utils.geometry import plan, render
from vto_utils.painting import Layer, compose, undress
from vto_utils.regions import Regions, decide

CATEGORIES = tuple(labels.CATEGORIES)


@cache
def body(name: str) -> Body:
    found = person(name)
    return Body.measure(found.pose, found.parsing)


@cache
def low_cut_top() -> Garment:
    return tryon().prepare_garment(tank_top().photo(shadow=0.03))


@cache
def layers(who: str, cloth: str) -> list[Layer]:
    return [Layer(part.name, *render(part, garment(cloth), SIZE)) for part in plan(garment(cloth), body(who))]


def decided(who: str, cloth: str | None = None, category: str = "upper_body") -> Regions:
    category = CLOTHS[cloth] if cloth else category
    found = person(who)
    return decide(
        found.parsing, np.asarray(found.image), body(who), plan(garment(cloth), body(who)) if cloth else [], category
    )


def allowed(who: str, category: str = "upper_body") -> np.ndarray:
    return agnostic_mask(person(who).parsing, person(who).pose, category)


def undressed(who: str, regions: Regions, mask: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    found = person(who)
    photo = np.asarray(found.image, np.float32)
    return undress(photo, found.parsing, found.mask, body(who), regions, mask, np.random.default_rng(seed))


def no_regions() -> Regions:
    """Nothing to take off and nothing in front."""
    names = Regions.__dataclass_fields__
    empty = {name: np.zeros(SIZE, bool) for name in names} | {"shade": np.zeros(SIZE, np.float32)}
    return Regions(**(empty | ({"slit": 0.0} if "slit" in names else {})))


# Deciding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", CLOTHS)
def test_regions(who: str, cloth: str) -> None:
    parsing, regions = person(who).parsing, decided(who, cloth)
    for name in ("old", "skin", "background", "lower", "snug", "beyond", "limb", "front"):
        layer = getattr(regions, name)
        assert layer.shape == SIZE and layer.dtype == bool, name
    assert regions.shade.shape == SIZE and regions.shade.min() >= 0 and regions.shade.max() <= 1
    assert regions.old[labels.select(parsing, labels.CATEGORIES[CLOTHS[cloth]])].all()
    assert not (regions.skin & ~regions.old).any() and not (regions.background & ~regions.old).any()
    assert not (regions.skin & regions.background).any() and not (regions.lower & regions.background).any()
    covered = regions.skin | regions.background | regions.lower
    assert covered[regions.old].mean() > 0.85  # what is under the garment is known nearly everywhere
    assert labels.select(parsing, labels.ARMS)[regions.front].all()
    if CLOTHS[cloth] == "lower_body":
        assert not regions.front.any() and not regions.beyond.any() and not regions.snug.any()


def test_arm_in_front_is_only_the_one_in_front() -> None:
    front = decided("person_2", "tshirt_print").front
    wrist, knuckle = body("person_2").pose.landmarks[[16, 20], :2]
    x, y = np.round(wrist + 0.2 * (knuckle - wrist)).astype(int)  # the hand itself no try-on may touch
    assert front[y - 2 : y + 3, x - 2 : x + 3].all()
    x, y = np.round(body("person_2").frame.place(0.6, 0.15)).astype(int)
    assert not front[y - 4 : y + 5, x - 4 : x + 5].any()


@pytest.mark.parametrize("who", PEOPLE)
def test_short_sleeves_bare_the_arms_and_long_ones_do_not(who: str) -> None:
    short, long = decided(who, "tank_top").limb, decided(who, "long_sleeve").limb
    assert long.sum() < 0.35 * max(short.sum(), 1) or not short.any()
    if who == "person_2":  # who wears long sleeves
        assert short.sum() > 2000


def test_a_top_ends_at_the_waistband() -> None:
    regions, found = decided("person_3", "tshirt_print"), body("person_3")
    along, _ = found.frame.coordinates(SIZE)
    assert not regions.beyond[along < found.waist].any()
    assert regions.beyond[along > found.waist + 0.2].all()


# Undressing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("category", CATEGORIES)
def test_undressing_stays_inside_the_region(who: str, category: str) -> None:
    mask = allowed(who, category)
    bare, skin = undressed(who, decided(who, category=category), mask)
    photo = np.asarray(person(who).image, np.float32)
    assert bare.shape == skin.shape == photo.shape and np.isfinite(bare).all() and np.isfinite(skin).all()
    assert np.array_equal(bare[~mask], photo[~mask])
    assert (bare[mask] != photo[mask]).any()


@pytest.mark.parametrize("who", PEOPLE)
def test_skin_has_the_colour_of_the_face(who: str) -> None:
    _, skin = undressed(who, decided(who), allowed(who))
    lab = cv2.cvtColor(np.clip(skin, 0, 255) / 255, cv2.COLOR_RGB2LAB)
    face = np.asarray(person(who).image, np.float32)[person(who).parsing == labels.ID["face"]][None] / 255
    usual = np.median(cv2.cvtColor(face, cv2.COLOR_RGB2LAB)[0], axis=0)
    frame = body(who).frame
    for along, aside in ((0.2, 0.0), (0.4, 0.2), (0.6, -0.1)):
        x, y = np.round(frame.place(along, aside)).astype(int)
        assert np.abs(lab[y - 3 : y + 4, x - 3 : x + 4].mean((0, 1)) - usual).max() < 22


@pytest.mark.parametrize("who", PEOPLE)
def test_background_continues(who: str) -> None:
    regions = replace(no_regions(), background=person(who).mask > 127)
    bare, _ = undressed(who, regions, np.ones(SIZE, bool))
    photo = np.asarray(person(who).image, np.float32)
    wall = photo[person(who).mask == 0]
    inside = filters.grow(person(who).mask > 127, -4)
    # All of the person becomes wall: no colour that the wall does not have, save the grain.
    low, high = np.percentile(wall, 0.5, axis=0) - 8, np.percentile(wall, 99.5, axis=0) + 8
    assert ((bare[inside] >= low) & (bare[inside] <= high)).all(1).mean() > 0.99


def test_nobody_has_to_show_skin() -> None:
    found = person("person_1")
    hidden = np.isin(found.parsing, (*labels.SKIN, labels.ID["hair"]))
    parsing = np.where(hidden, labels.ID["upper-clothes"], found.parsing).astype(np.uint8)
    photo, mask = np.asarray(found.image, np.float32), allowed("person_1")
    covered = Body.measure(found.pose, parsing)
    regions = decide(parsing, np.asarray(found.image), covered, [], "upper_body")
    bare, _ = undress(photo, parsing, found.mask, covered, regions, mask, np.random.default_rng(0))
    assert np.isfinite(bare).all() and np.array_equal(bare[~mask], photo[~mask])


def test_same_seed_same_grain() -> None:
    regions, mask = decided("person_1"), allowed("person_1")
    one, again, other = (undressed("person_1", regions, mask, seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other) and np.array_equal(one[~mask], other[~mask])
    assert np.abs(one - other).max() < 20


def test_grain_is_as_strong_as_the_photos() -> None:
    rng = np.random.default_rng(0)
    where = np.ones((200, 200), bool)
    noisy = (128 + rng.normal(0, 1.0, (200, 200, 1)) * np.ones(3)).astype(np.float32)
    grain = painting._grain(noisy, where, np.random.default_rng(1))
    assert grain.shape == (200, 200, 1) and 0.5 < grain.std() < 1.5
    assert not painting._grain(np.full_like(noisy, 128), where, np.random.default_rng(1)).any()
    assert not painting._grain(noisy, np.zeros_like(where), np.random.default_rng(1)).any()


# Composing ------------------------------------------------------------------------------------------------


def plain_layer(box: tuple[int, int, int, int], colour: tuple[int, int, int] = (200, 100, 50)) -> Layer:
    x0, y0, x1, y1 = box
    alpha = np.zeros(SIZE, np.float32)
    alpha[y0:y1, x0:x1] = 1
    colours = np.zeros((*SIZE, 3), np.float32) + np.float32(colour)
    return Layer("body", colours, alpha)


def composed(given: list[Layer], regions: Regions, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Result, cover and the photo of person_1, who is not undressed and whose skin is blue."""
    found = person("person_1")
    photo = np.asarray(found.image, np.float32)
    blue = np.zeros_like(photo) + np.float32([10, 20, 240])
    result, cover = compose(photo, photo.copy(), blue, given, regions, found.parsing, body("person_1"), mask)
    assert result.dtype == np.uint8 and result.shape == photo.shape and cover.shape == SIZE
    assert cover.min() >= 0 and cover.max() <= 1 + 1e-6
    return result, cover, photo


def test_without_layers_nothing_is_laid_on() -> None:
    result, cover, photo = composed([], no_regions(), np.ones(SIZE, bool))
    assert np.array_equal(result, photo) and not cover.any()


def test_layer_covers_and_keeps_its_hue() -> None:
    mask = np.zeros(SIZE, bool)
    mask[200:400, 100:300] = True
    result, cover, photo = composed([plain_layer((150, 250, 250, 350))], no_regions(), mask)
    inner = np.s_[256:344, 156:244]
    assert cover[inner].min() > 0.999
    light = result[inner].astype(float) / [200, 100, 50]
    assert light.min() > 0.55 and light.max() < 1.03  # shaded, never brighter
    assert np.abs(light - light.mean(-1, keepdims=True)).max() < 0.03
    assert np.array_equal(result[~mask], photo[~mask])
    beside = mask & (cover == 0)
    assert beside.any() and np.array_equal(result[beside], photo[beside])


def test_layer_ends_softly_on_the_wall_and_at_once_on_the_person() -> None:
    """Between the garment and a hand in front of it nothing else may shine through."""
    mask = np.zeros(SIZE, bool)
    mask[200:400, 20:300] = True
    assert not person("person_1").parsing[300, 10:35].any() and person("person_1").parsing[195:205, 180].all()
    result, cover, photo = composed([plain_layer((0, 0, 384, 512))], no_regions(), mask)
    assert not cover[~mask].any() and np.array_equal(result[~mask], photo[~mask])
    row = cover[300, 15:35]
    assert (np.diff(row) >= -1e-6).all() and row[-1] > 0.99 and ((row > 0.1) & (row < 0.9)).any()
    assert cover[199, 180] == 0 and cover[200, 180] > 0.99


def test_later_layers_lie_on_earlier_ones() -> None:
    over = replace(plain_layer((180, 280, 220, 320), (0, 255, 0)), name="left")
    result, cover, _ = composed([plain_layer((150, 250, 250, 350)), over], no_regions(), np.ones(SIZE, bool))
    assert result[300, 200, 0] == 0 and result[300, 200, 1] > 150
    assert result[300, 160, 0] > 100
    assert cover[300, 200] > 0.999


def test_what_is_in_front_stays_in_front() -> None:
    box = (150, 250, 250, 350)
    half = np.zeros(SIZE, bool)
    half[:, 200:] = True
    mask = np.ones(SIZE, bool)
    front, cover, photo = composed([plain_layer(box)], replace(no_regions(), front=half), mask)
    assert cover[300, 190] > 0.99 and not cover[256:344, 206:244].any()
    assert np.array_equal(front[256:344, 206:244], photo[256:344, 206:244])
    beyond, cover, photo = composed([plain_layer(box)], replace(no_regions(), beyond=half), mask)
    assert np.array_equal(beyond[256:344, 206:244], photo[256:344, 206:244])
    limb, cover, _ = composed([plain_layer(box)], replace(no_regions(), limb=half), mask)
    assert limb[300, 230].tolist() == [10, 20, 240] and cover[300, 230] == 0
    assert cover[300, 170] > 0.99


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", CLOTHS)
def test_composed_garment_stays_inside_the_region(who: str, cloth: str) -> None:
    found, mask, regions = person(who), allowed(who, CLOTHS[cloth]), decided(who, cloth)
    photo = np.asarray(found.image, np.float32)
    bare, skin = undressed(who, regions, mask)
    result, cover = compose(photo, bare, skin, layers(who, cloth), regions, found.parsing, body(who), mask)
    assert np.array_equal(result[~mask], photo[~mask])
    assert not cover[~mask].any() and cover.max() <= 1 + 1e-6
    assert (cover > 0.9).sum() > 0.3 * labels.select(found.parsing, labels.CATEGORIES[CLOTHS[cloth]]).sum()


@pytest.mark.parametrize("who", PEOPLE)
def test_no_cloth_grows_into_a_neck_opening(who: str) -> None:
    top = low_cut_top()
    _, alpha = render(plan(top, body(who))[0], top, SIZE)
    solid = alpha > 0.05
    between = np.maximum.accumulate(solid, 1) & np.maximum.accumulate(solid[:, ::-1], 1)[:, ::-1]
    opening = between & ~filters.grow(solid, 3)
    assert opening.sum() > 1000
    covered = tryon()(person(who), top).garment_mask > 127
    assert covered[opening].mean() < 0.01
