from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest

from vto_utils.errors import InputError
from vto_utils.synth.cloth import KINDS, FabricSpec, PanelMaps
from vto_utils.synth.cloth_patterns import pattern
from vto_utils.synth.fabrics import FAMILIES, sample_fabric
from vto_utils.synth.prints import EMBLEMS, WORDS, Print
from vto_utils.synth.trim_painting import paint
from vto_utils.synth.trims import Details, sample_details
from vto_utils.synth.yarns import yarns

GREY = FabricSpec("plain", grain=0.0)
BARE = Details(seams=False, accent=(0.1, 0.3, 0.7))


def shirt(scale: float = 26, side: str = "front") -> PanelMaps:
    """A body from x -1.8 to 1.8 with a sleeve 2 dm long on either side, a round neck and a straight hem."""
    x, y = np.meshgrid(
        (np.arange(round(8 * scale), dtype=np.float32) + 0.5) / np.float32(scale) - 4,
        6 - (np.arange(round(7 * scale), dtype=np.float32) + 0.5) / np.float32(scale),
    )
    away = np.abs(x)
    sleeve = (away > 1.8).astype(np.float32)
    neck = (np.hypot(x, y - 5.8) - 0.9).astype(np.float32)
    hem = np.where(sleeve > 0, 9, y + 0.5).astype(np.float32)
    cuff = np.where(sleeve > 0, 3.8 - away, 9).astype(np.float32)
    along, across = np.where(sleeve > 0, away, y), np.where(sleeve > 0, y, x)
    return PanelMaps(x, y, along, across, sleeve, away - np.float32(1.8), neck, hem, cuff, side, scale)


def trousers(scale: float = 26, side: str = "front") -> PanelMaps:
    """From the waist at y 1.5 down to -7."""
    x, y = np.meshgrid(
        (np.arange(round(6 * scale), dtype=np.float32) + 0.5) / np.float32(scale) - 3,
        1.5 - (np.arange(round(8.5 * scale), dtype=np.float32) + 0.5) / np.float32(scale),
    )
    zero, far = np.zeros_like(x), np.full_like(x, 9)
    return PanelMaps(x, y, y, x, zero, -far, 1.5 - y, y + 7, far, side, scale)


def changed(details: Details, maps: PanelMaps, spec: FabricSpec = GREY) -> np.ndarray:
    """Where a garment with these details differs from a bare one."""
    with_details, without = (
        paint(spec, details, maps)[0],
        paint(spec, dataclasses.replace(BARE, kind=details.kind), maps)[0],
    )
    return np.abs(with_details - without).max(2) > 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("neckline", ["crew", "polo", "high"])
def test_details_depend_on_the_numbers_alone_and_json_keeps_them(kind: str, neckline: str) -> None:
    for seed in range(60):
        spec = sample_fabric(np.random.default_rng(seed), FAMILIES, kind=kind)
        details = sample_details(np.random.default_rng(seed), kind, neckline, fabric=spec)
        assert details == sample_details(np.random.default_rng(seed), kind, neckline, fabric=spec)
        assert Details.from_dict(json.loads(json.dumps(dataclasses.asdict(details)))) == details
        assert details.kind == kind


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="hat"):
        sample_details(np.random.default_rng(0), "hat", "crew")


def test_details_are_as_common_as_in_shops() -> None:
    rng = np.random.default_rng(0)
    plain = FabricSpec("plain", colours=((0.2, 0.3, 0.6),))
    tops = [sample_details(rng, "top", "crew", fabric=plain) for _ in range(400)]
    assert 0.2 < np.mean([details.print is not None for details in tops]) < 0.5
    assert {details.placket for details in tops} == {"none", "henley", "zip", "half zip", "shirt"}
    floral = FabricSpec("floral", colours=plain.colours * 5)
    assert all(sample_details(rng, "top", "crew", fabric=floral).print is None for _ in range(100))
    assert all(sample_details(rng, "top", "polo", fabric=plain).placket != "none" for _ in range(50))
    jeans = FabricSpec("denim", "denim", ((0.2, 0.25, 0.4),))
    drawn = [sample_details(rng, "trousers", "", fabric=jeans) for _ in range(60)]
    assert all(details.fly and details.pockets == "jeans" and details.waistband for details in drawn)
    assert np.mean([details.stitching is not None for details in drawn]) > 0.6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["front", "back"])
def test_every_garment_is_a_picture_with_a_low_relief(kind: str, side: str) -> None:
    maps = shirt(16, side) if kind in ("top", "dress") else trousers(16, side)
    for seed in range(14):
        rng = np.random.default_rng(seed)
        spec = sample_fabric(rng, FAMILIES, kind=kind)
        neckline = ("crew", "v", "polo", "high", "scoop", "hood", "shirt")[seed % 7]
        albedo, height = paint(spec, sample_details(rng, kind, neckline, fabric=spec), maps)
        assert albedo.shape == (*maps.x.shape, 3) and height.shape == maps.x.shape
        assert albedo.dtype == height.dtype == np.float32
        assert np.isfinite(albedo).all() and albedo.min() >= 0 and albedo.max() <= 1
        assert np.isfinite(height).all() and np.abs(height).max() < 0.08


def test_bare_cloth_is_pattern_times_yarns() -> None:
    spec = FabricSpec("stripe", colours=((0.9, 0.8, 0.7), (0.1, 0.2, 0.3)), sett=((0, 0.4), (1, 0.4)))
    maps = shirt()
    albedo, height = paint(spec, BARE, maps)
    shade, relief = yarns(spec, maps)
    assert np.allclose(albedo, np.clip(pattern(spec, maps) * shade[..., None], 0, 1), atol=1e-6)
    assert np.array_equal(height, relief)


def test_white_and_black_stay_white_and_black() -> None:
    for spec in (FabricSpec("plain", colours=((1.0, 1.0, 1.0),)), FabricSpec("plain", colours=((0.0, 0.0, 0.0),))):
        albedo = paint(spec, Details(neck_rib=0.2, hem_rib=0.5, cuff_rib=0.3), shirt(55))[0]
        assert np.abs(albedo - spec.colours[0][0]).mean() < 0.02


def test_a_contrast_rib_is_at_the_neck_only() -> None:
    maps = shirt()
    details = dataclasses.replace(BARE, neck_rib=0.25, trim=(0.9, 0.1, 0.1), trim_at=("neck",))
    where = changed(details, maps)
    assert where[(maps.neck > 0.02) & (maps.neck < 0.2)].all()
    assert not where[maps.neck > 0.4].any()
    albedo = paint(GREY, details, maps)[0]
    assert np.abs(albedo[(maps.neck > 0.05) & (maps.neck < 0.2)] - (0.9, 0.1, 0.1)).max() < 0.15


def test_ribs_of_an_armhole_and_of_a_short_sleeve_stay_narrow() -> None:
    maps = shirt()
    where = changed(dataclasses.replace(BARE, cuff_rib=0.8, trim=(1, 0, 0), trim_at=("cuff",)), maps)
    assert where[(maps.cuff > 0.05) & (maps.cuff < 0.4)].all() and not where[maps.cuff > 0.65].any()
    zero = np.zeros_like(maps.x)
    tank = dataclasses.replace(maps, sleeve=zero, armhole=zero - 9, cuff=np.float32(1.5) - np.abs(maps.x))
    where = changed(dataclasses.replace(BARE, cuff_rib=0.8, trim=(1, 0, 0), trim_at=("cuff",)), tank)
    assert not where[tank.cuff > 0.25].any()


def test_contrast_sleeves_end_at_the_armhole_and_raglan_reaches_the_neck() -> None:
    maps = shirt()
    details = dataclasses.replace(BARE, sleeve_colour=(0.1, 0.2, 0.8))
    where = changed(details, maps)
    assert where[maps.armhole > 0.05].all() and not where[maps.armhole < -0.05].any()
    raglan = changed(dataclasses.replace(details, raglan=True), maps)
    assert raglan[where].all() and raglan[(np.abs(maps.x) > 1.3) & (np.abs(maps.x) < 1.7) & (maps.y > 5.2)].all()
    assert not raglan[(np.abs(maps.x) < 0.8) & (maps.y < 5)].any()


def test_buttons_are_counted() -> None:
    maps = shirt(55)
    red = dict(buttons=3, button_colour=(0.9, 0.0, 0.0), seams=False)
    for details, count in ((Details(placket="polo", **red), 3), (Details(placket="shirt", **{**red, "buttons": 7}), 7)):
        albedo = paint(GREY, details, maps)[0]
        dots = (albedo[..., 0] - albedo[..., 1] > 0.3).astype(np.uint8)
        assert cv2.connectedComponents(dots)[0] - 1 == count
        assert np.abs(maps.x[dots > 0]).max() < 0.1
        back = paint(GREY, details, shirt(55, "back"))[0]
        assert (back[..., 0] - back[..., 1]).max() < 0.05


def test_a_zip_runs_from_the_neck_to_the_hem() -> None:
    maps = shirt()
    full, half = (changed(dataclasses.replace(BARE, placket=name), maps) for name in ("zip", "half zip"))
    middle = np.abs(maps.x) < 0.03
    assert full[middle & (maps.neck > 0.2) & (maps.hem > 0.1)].all()
    assert half[middle & (maps.neck > 0.2) & (maps.neck < 1.4)].all() and not half[maps.neck > 2.2].any()


def test_pockets_lie_where_they_belong() -> None:
    maps = shirt(40)
    chest = changed(dataclasses.replace(BARE, pocket="chest", pocket_colour=(0.9, 0.2, 0.2)), maps)
    assert (
        maps.x[chest].min() > 0.4
        and maps.x[chest].max() < 1.7
        and 2.7 < maps.y[chest].min() < maps.y[chest].max() < 4.1
    )
    low = maps.y[chest & (np.abs(maps.x - 1.05) < 0.1)].min()
    assert low < maps.y[chest & (np.abs(maps.x - 1.05) > 0.45)].min() - 0.05  # pointed downwards
    two = changed(dataclasses.replace(BARE, pocket="two"), maps)
    assert (maps.x[two] < -0.5).any() and (maps.x[two] > 0.5).any()


def test_a_print_is_on_the_chest_and_on_the_front_only() -> None:
    art = Print(("HELLO", "all year round"), "star", "", "solid", ((0.9, 0.1, 0.1),), (0.0, 3.4), 2.0)
    maps = shirt(40)
    where = changed(dataclasses.replace(BARE, print=art), maps)
    assert 0.02 < where.mean() < 0.2
    assert np.abs(maps.x[where]).max() < 1.15 and abs(maps.y[where].mean() - 3.4) < 0.5
    assert not changed(dataclasses.replace(BARE, print=art), shirt(40, "back")).any()


def test_words_read_from_the_wearers_right_to_left() -> None:
    """In the picture of the front, x to the wearer's left runs to the right: the L's stem is left, its foot below."""
    art = Print(("L",), "", "", "solid", ((0.0, 0.0, 0.0),), (0.0, 3.4), 1.2)
    maps = shirt(40)
    where = changed(dataclasses.replace(BARE, print=art), maps)
    x, y = maps.x[where], maps.y[where]
    middle = (y.max() + y.min()) / 2
    assert x[y > middle].mean() < x[y < middle].mean() - 0.05


@pytest.mark.parametrize("emblem", EMBLEMS)
def test_every_emblem_can_be_seen(emblem: str) -> None:
    art = Print((), emblem, "", "solid", ((0.9, 0.1, 0.1), (0.1, 0.1, 0.9), (0.9, 0.9, 0.1)))
    assert changed(dataclasses.replace(BARE, print=art), shirt()).sum() > 100


@pytest.mark.parametrize("style", ["solid", "outline", "italic", "wide", "condensed", "arc"])
@pytest.mark.parametrize("picture", ["", "landscape", "shapes", "grain"])
def test_prints_look_the_same_at_every_resolution(style: str, picture: str) -> None:
    art = Print(
        ("RIVER",), "", picture, style, ((0.9, 0.1, 0.1), (0.1, 0.1, 0.9), (0.9, 0.9, 0.1), (0, 0, 0)), worn=0.2
    )
    details = dataclasses.replace(BARE, print=art)
    coarse = paint(GREY, details, shirt(20))[0]
    fine = cv2.resize(paint(GREY, details, shirt(40))[0], coarse.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert changed(details, shirt(20)).sum() > 100
    assert np.abs(coarse - fine).mean() < 0.01
    assert np.abs(cv2.GaussianBlur(coarse - fine, (0, 0), 1.5)).max() < 0.12


def test_ink_that_could_not_be_seen_is_changed() -> None:
    art = Print(("RIVER",), colours=((0.51, 0.5, 0.5),))
    assert changed(dataclasses.replace(BARE, print=art), shirt()).sum() > 100


def test_seams_look_the_same_at_every_resolution() -> None:
    details = Details(neck_rib=0.2, cuff_rib=0.4, placket="polo", buttons=3, pocket="chest", yoke=4.4)
    coarse = paint(GREY, details, shirt(20))[0]
    fine = cv2.resize(paint(GREY, details, shirt(40))[0], coarse.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(coarse - fine).mean() < 0.006


def test_jeans_have_a_fly_in_front_and_pockets_behind() -> None:
    denim = FabricSpec("denim", "denim", ((0.2, 0.25, 0.4),), grain=0.0, fade=0.3)
    details = Details(
        "trousers", waistband=0.4, fly=True, loops=True, pockets="jeans", buttons=1, stitching=(0.8, 0.6, 0.3)
    )
    maps = trousers(40)
    front, back = (paint(denim, details, trousers(40, side))[0] for side in ("front", "back"))
    gold = [picture[..., 0] > picture[..., 2] + 0.1 for picture in (front, back)]
    fly = (maps.x > 0.2) & (maps.x < 0.5) & (maps.y < 0.9) & (maps.y > 0.6)
    assert gold[0][fly].any() and not gold[0][fly & (maps.x > 0.45)].any() and not gold[1][fly].any()
    pocket = (np.abs(maps.x) > 0.4) & (np.abs(maps.x) < 1.8) & (maps.y < 0.2) & (maps.y > -0.9)
    assert gold[1][pocket].mean() > 0.04
    thigh, shin = (np.abs(np.abs(maps.x) - 1.4) < 0.2) & (np.abs(maps.y + 2.2) < 0.3), (maps.y < -6) & (maps.y > -6.5)
    assert front[thigh].mean() > front[shin].mean() + 0.05
    assert abs(back[thigh].mean() - back[shin].mean()) < 0.02


def test_belts_waist_seams_and_pleats() -> None:
    maps = shirt()
    belt = changed(Details("dress", seams=False, belt=0.4, waist_seam=1.2, accent=(0.1, 0.1, 0.1)), maps)
    assert belt[(np.abs(maps.y - 1.2) < 0.15) & (np.abs(maps.x) < 1.7)].all() and not belt[maps.y > 1.6].any()
    lower = trousers()
    flat = paint(GREY, Details("skirt"), lower)[1]
    pleated = paint(GREY, Details("skirt", pleats=0.6, pleat_depth=1.0), lower)[1]
    row = (pleated - flat)[lower.x.shape[0] // 2]
    assert 0.01 < np.ptp(row) < 0.03
    period = round(0.6 * lower.scale)
    assert np.corrcoef(row[:-period], row[period:])[0, 1] > 0.8


def test_every_other_detail_leaves_a_mark() -> None:
    upper, lower = shirt(), trousers()
    for field in (
        dict(yoke=4.3), dict(yoke=4.3, yoke_colour=(0.9, 0.1, 0.1)), dict(sleeve_band=0.3), dict(chest_band=(3.2, 0.6)),
        dict(pocket="kangaroo"), dict(pocket="flap"), dict(drawstring=(0.9, 0.9, 0.9)), dict(seams=True),
        dict(hem_rib=0.5, tipping=(0.9, 0.1, 0.1)), dict(waist_seam=1.3), dict(raglan=True, seams=True),
    ):  # fmt: skip
        assert changed(dataclasses.replace(BARE, **field), upper).any(), field
    assert changed(dataclasses.replace(BARE, label=(0.9, 0.9, 0.9)), shirt(26, "back")).any()
    for field in (
        dict(waistband=0.4, elastic=True), dict(pockets="slant"), dict(pockets="cargo"), dict(crease=1.0),
        dict(hem_rib=0.5), dict(drawstring=(0.9, 0.9, 0.9)), dict(loops=True, waistband=0.4),
    ):  # fmt: skip
        assert changed(Details("trousers", seams=False, **field), lower).any(), field


def test_words_are_many_and_plain_text() -> None:
    assert len(WORDS) >= 80 and all(word.isascii() and word.strip() == word for word in WORDS)
