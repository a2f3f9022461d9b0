import json
from collections import defaultdict
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vto_utils.synth.flats import BACK, FRONT, SAMPLES, FlatSpec, lay, sample, sample_flat
from vto_utils.synth.seeds import stream
from vto_utils.synth.shells import load_pattern

SIZE = (128, 96)
PLAIN = replace(
    sample_flat(stream(0, 0, "flat"), "top", "short"), angles=(20.0, 20.0), over=(True, True), tilt=0.0, fill=0.85,
    shift=(0.0, 0.0), boxy=0.7, skew=0.0, stretch=1.0, longer=1.0, bend=0.0, light=(0.0, 0.8), relief=0.8, shadow=0.0,
    ground=(0.96, 0.96, 0.96), seed=3, doll=0.0,
)  # fmt: skip
NAMES = ("tee", "long", "tank", "trousers", "shorts", "skirt", "dress")


def spec_of(garment, **changes):
    middle = (0.0, 0.0) if garment.style.kind == "trousers" else PLAIN.angles
    return replace(PLAIN, **{"angles": middle, **changes})


def laid(garment, size=SIZE, **changes):
    return lay(garment, spec_of(garment, **changes), size)


def pixels(place, size=SIZE):
    """x, y in pixels of places in grid_sample's units."""
    return (place + 1) / 2 * [size[1], size[0]]


@pytest.fixture(scope="module")
def flats(clothes):
    return {name: laid(garment) for name, garment in clothes.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_is_a_whole_garment_on_a_light_ground(flats, name):
    flat = flats[name]
    assert flat.image.shape == flat.albedo.shape == (*SIZE, 3) and flat.mask.shape == SIZE
    assert flat.mask.dtype == np.uint8 and set(np.unique(flat.mask)) == {0, 255}
    for picture in (flat.image, flat.albedo):
        assert picture.dtype == np.float32
        assert picture.min() >= 0 and picture.max() <= 1
    inside = flat.mask > 0
    assert 0.15 < inside.mean() < 0.8
    assert not (inside[[0, -1]].any() or inside[:, [0, -1]].any())
    pieces = cv2.connectedComponentsWithStats(flat.mask)[2][1:, cv2.CC_STAT_AREA]
    assert pieces.max() > 0.995 * pieces.sum()
    assert flat.spot.shape == (SIZE[0] * SAMPLES, SIZE[1] * SAMPLES, 2)
    assert flat.side.shape == flat.spot.shape[:2] and flat.side.dtype == np.uint8
    assert set(np.unique(flat.side)) <= {0, FRONT, BACK}
    share = cv2.resize((flat.side > 0).astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(inside, share >= 0.5)
    np.testing.assert_allclose(flat.image[share == 0], 0.96, atol=0.01)  # no shadow was asked for
    np.testing.assert_allclose(flat.albedo[share == 0], 0.96, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_it_fills_the_share_it_is_told(clothes, name):
    for fill in (0.6, 0.9):
        rows, columns = np.nonzero(laid(clothes[name], fill=fill).mask)
        reached = max((np.ptp(rows) + 1) / SIZE[0], (np.ptp(columns) + 1) / SIZE[1])
        assert reached == pytest.approx(fill, abs=0.03)
        # in the middle
        assert (rows.min() + rows.max() + 1) / 2 / SIZE[0] == pytest.approx(0.5, abs=0.02)
        assert (columns.min() + columns.max() + 1) / 2 / SIZE[1] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_every_vertex_lies_where_its_cloth_is_seen(clothes, flats, name):
    """`place` and `spot` are each other's inverse on what is uppermost."""
    garment, flat = clothes[name], flats[name]
    front = np.setdiff1d(garment.pattern.faces[: garment.pattern.front], garment.pattern.faces[garment.pattern.front :])
    front = front[garment.edge[front] > 0.15]
    x, y = (pixels(flat.place[front]) * SAMPLES).T
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    assert column.min() >= 0 and row.min() >= 0
    seen = flat.side[row, column] == FRONT
    assert seen.mean() > 0.97
    apart = np.linalg.norm(flat.spot[row, column] - garment.atlas[front], axis=1)[seen]
    step = np.linalg.norm(np.diff(flat.spot, axis=0), axis=2)[(np.diff(flat.side, axis=0) == 0) & (flat.side[1:] > 0)]
    assert np.median(apart) < np.median(step)  # a sample is as far as that from its neighbour
    assert (apart < 0.15).mean() > 0.93  # the rest lies under a sleeve


@pytest.mark.parametrize("name", NAMES)
def test_the_albedo_is_the_garments_texture(clothes, flats, name):
    garment, flat = clothes[name], flats[name]
    cloth = sample(garment, flat.spot, flat.side)[..., :3]
    solid = flat.side.reshape(SIZE[0], SAMPLES, SIZE[1], SAMPLES).min((1, 3)) > 0
    mean = cloth.reshape(SIZE[0], SAMPLES, SIZE[1], SAMPLES, 3).mean((1, 3))
    np.testing.assert_allclose(flat.albedo[solid], mean[solid], atol=2e-3)
    # light changes the picture, but not beyond what light does
    ratio = flat.image[solid].mean(1) / flat.albedo[solid].mean(1)
    assert ratio.std() > 0.01 and ratio.min() > 0.3 and ratio.max() < 1.5


def test_the_back_is_seen_through_the_neck_only(clothes, flats):
    for name in ("tee", "long", "tank"):
        flat = flats[name]
        back = flat.side == BACK
        height = flat.spot[..., 1]
        assert 0.002 < back.mean() < 0.1
        hem = clothes[name].style.hem
        assert ((height > 4.0) | (height < hem + 0.5))[back].mean() > 0.9, name
    for name in ("trousers", "skirt", "shorts"):
        assert (flats[name].side == BACK).mean() < 0.02


def test_the_front_has_no_hole(clothes):
    """Under the arms above all, where sleeve and body meet."""
    for name in ("tee", "long", "tank", "dress"):
        for angle in (0.0, 25.0):
            flat = laid(clothes[name], (256, 192), angles=(angle, angle))
            other = (flat.side != FRONT).astype(np.uint8)
            count, label, stats, _ = cv2.connectedComponentsWithStats(other, connectivity=4)
            holes = 0
            for k in range(1, count):
                inside = label == k
                outside = (flat.side[inside] == 0).any()
                neck = flat.spot[inside][:, 1].max() > 4.6
                holes += 0 if outside or neck else int(stats[k, cv2.CC_STAT_AREA])
            assert holes < 0.0005 * (flat.side > 0).sum(), (name, angle, holes)


@pytest.mark.parametrize("name", NAMES)
def test_outlines_have_no_barbs(clothes, name):
    """Nothing sticks out that is slimmer than a strap, but the tips of corners."""
    for angle in (0.0, 25.0):
        angle = 1.0 if clothes[name].style.kind == "trousers" else angle
        flat = laid(clothes[name], (256, 192), angles=(angle, angle))
        inside = (flat.side > 0).astype(np.uint8)
        upright = (flat.side[1:] == FRONT) & (flat.side[:-1] == FRONT)
        per_dm = 1 / np.median(np.linalg.norm(np.diff(flat.spot, axis=0), axis=2)[upright])
        width = int(round(0.22 * per_dm)) | 1
        opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
        pieces = cv2.connectedComponentsWithStats(inside - opened)[2][1:, cv2.CC_STAT_AREA]
        assert pieces.max() / per_dm**2 < 0.01, angle


def across(garment, **changes):
    """x of every vertex in dm from the garment's middle."""
    flat = laid(garment, (256, 192), **changes)
    x = pixels(flat.place, (256, 192))[:, 0] * SAMPLES * flat.step
    middle = (np.abs(garment.pattern.points[:, 0]) < 0.15) & (garment.pattern.arm < 0.02)
    return x - np.median(x[middle])


@pytest.mark.parametrize("turn", [0.6, 1.3, 2.0])
@pytest.mark.parametrize("name", ["tee", "dress", "skirt"])
def test_the_sides_turn_away_on_a_doll(clothes, name, turn):
    """At t radians from the middle x is sin(t) of the radius; what goes round farther than pi / 2 is hidden."""
    garment = clothes[name]
    pattern = garment.pattern
    flat, round_ = across(garment), across(garment, doll=turn)
    trunk = (pattern.arm < 0.02) & (np.abs(pattern.points[:, 1] - 2.0) < 1.0) & (garment.edge > 0)
    if name == "skirt":
        trunk = (np.abs(pattern.points[:, 1] + 1.0) < 1.0) & (garment.edge > 0)
    for height in np.unique(pattern.points[trunk, 1].round(1))[::3]:
        row = trunk & (np.abs(pattern.points[:, 1] - height) < 0.12)
        half = np.abs(flat[row]).max()
        seen = np.clip(np.abs(flat[row]), 0, half * min(1, np.pi / 2 / turn))
        expected = half / turn * np.sin(seen * turn / half)
        np.testing.assert_allclose(np.abs(round_[row]), expected, atol=0.09 * half)
    near = trunk & (np.abs(flat) < 0.4)
    assert np.abs(round_[near] / flat[near])[np.abs(flat[near]) > 0.15].mean() == pytest.approx(1, abs=0.08)


def test_sleeves_of_a_doll_keep_their_place(clothes):
    pattern = clothes["long"].pattern
    sleeve = (pattern.arm > 0.5) & (pattern.along > 0.5) & (clothes["long"].edge > 0)
    flat, round_ = (across(clothes["long"], doll=turn)[sleeve] for turn in (0.0, 1.8))
    np.testing.assert_allclose(round_, flat, atol=0.05)
    gaps = [(laid(clothes["long"], (256, 192), doll=turn).mask[128] == 0).sum() for turn in (0.0, 1.8)]
    assert gaps[1] > gaps[0]  # beside the trunk the ground is seen


def cuffs(garment, angle):
    flat = laid(garment, angles=(angle, angle))
    pattern = garment.pattern
    end = (np.abs(pattern.along - garment.style.sleeve_length) < 0.03) & (pattern.arm > 0.9)
    right = pattern.points[:, 0] < 0
    return pixels(flat.place[end & right]).mean(0), pixels(flat.place[end & ~right]).mean(0)


@pytest.mark.parametrize("name", ["tee", "long"])
def test_hanging_sleeves_end_lower_than_spread_ones(clothes, name):
    lower = [cuffs(clothes[name], angle) for angle in (-40, -10, 15, 36)]
    for side in range(2):
        assert (np.diff([place[side][1] for place in lower]) > 1).all()  # y runs down
    # the wearer's right sleeve is on the picture's left
    assert lower[0][0][0] < SIZE[1] / 2 < lower[0][1][0]


def test_sleeves_are_laid_each_on_its_own(clothes):
    flat = laid(clothes["long"], angles=(-40.0, 36.0))
    pattern = clothes["long"].pattern
    end = (pattern.along > 0.9) & (pattern.arm > 0.9) & (clothes["long"].edge > 0)
    right, left = (pixels(flat.place[end & (pattern.points[:, 0] * sign > 0)])[:, 1].mean() for sign in (-1, 1))
    assert left > right + 15


def test_a_sleeve_lies_over_the_body_or_under_it(clothes):
    over, under = (laid(clothes["long"], angles=(36.0, 36.0), over=(way, way)) for way in (True, False))

    def on_sleeve(flat):
        reach = np.abs(flat.spot[..., 0])
        return ((flat.side == FRONT) & (reach > 2.6)).sum()

    assert on_sleeve(over) > 1.02 * on_sleeve(under)
    np.testing.assert_allclose(over.place, under.place, atol=1e-6)


def test_legs_lie_apart_or_together(clothes):
    gaps = []
    for angle in (-5.0, 4.0):
        mask = laid(clothes["trousers"], angles=(angle, angle)).mask > 0
        rows = np.flatnonzero(mask.any(1))
        line = mask[rows[int(0.9 * len(rows))]]
        columns = np.flatnonzero(line)
        gaps.append((~line[columns[0] : columns[-1]]).sum())
    assert gaps[1] > gaps[0] + 8


@pytest.mark.parametrize("name", ["tee", "trousers", "dress"])
def test_left_and_right_are_alike(clothes, flats, name):
    inside = flats[name].mask > 0
    columns = np.flatnonzero(inside.any(0))
    own = inside[:, columns[0] : columns[-1] + 1]
    both, either = (own & own[:, ::-1]).sum(), (own | own[:, ::-1]).sum()
    assert both / either > 0.95


def test_turning_moving_and_stretching(clothes, flats):
    tee, start = clothes["tee"], flats["tee"]
    worn = tee.edge > 0.1
    base = pixels(start.place[worn])
    moved = laid(tee, shift=(0.03, -0.05), fill=PLAIN.fill)
    np.testing.assert_allclose((pixels(moved.place[worn]) - base).mean(0), [0.03 * SIZE[1], -0.05 * SIZE[0]], atol=0.2)
    far = laid(tee, shift=(5.0, -5.0))  # never out of the picture
    assert not ((far.mask > 0)[[0, -1]].any() or (far.mask > 0)[:, [0, -1]].any())
    turned = pixels(laid(tee, tilt=5.0).place[worn])
    one, two = base - base.mean(0), turned - turned.mean(0)
    angle = np.arctan2((one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).sum(), (one * two).sum())
    assert np.rad2deg(angle) == pytest.approx(-5, abs=0.2)  # y runs down: anticlockwise
    wide = pixels(laid(tee, stretch=1.1).place[worn])
    shape = [np.ptp(points[:, 0]) / np.ptp(points[:, 1]) for points in (base, wide)]
    assert shape[1] / shape[0] == pytest.approx(1.1, rel=0.01)
    bent = pixels(laid(tee, bend=0.08).place[worn])
    assert 0.2 < np.abs(bent - base).max() < 8


def test_sleeves_and_legs_are_laid_longer_than_worn(clothes):
    def reach(name, times):
        flat, pattern = laid(clothes[name], longer=times, fill=PLAIN.fill), clothes[name].pattern
        place = pixels(flat.place)
        trunk = np.abs(pattern.points[:, 0]) < 0.3
        chest, waist = (place[trunk & (np.abs(pattern.points[:, 1] - y) < 0.2)].mean(0) for y in (1.1, 0.1))
        if name == "trousers":
            start, end = (place[np.abs(pattern.points[:, 1] - y) < 0.2, 1].mean() for y in (-2.0, -5.0))
            return (end - start) / (waist - chest)[1]
        left = (pattern.points[:, 0] > 0) & (pattern.arm > 0.9)
        start, end = (place[left & (np.abs(pattern.along - t) < 0.05)].mean(0) for t in (0.3, 0.9))
        return np.linalg.norm(end - start) / np.linalg.norm(waist - chest)

    for name in ("long", "trousers"):
        assert reach(name, 1.2) / reach(name, 1.0) == pytest.approx(1.2, abs=0.06)


def test_boxy_straightens_the_sides(clothes):
    def waist_to_chest(boxy):
        flat = laid(clothes["tank"], boxy=boxy)
        pattern = clothes["tank"].pattern
        place = pixels(flat.place)
        trunk = (pattern.arm < 0.01) & (clothes["tank"].edge > 0)
        half = [np.ptp(place[trunk & (np.abs(pattern.points[:, 1] - at) < 0.15), 0]) for at in (1.6, 2.9)]
        return half[0] / half[1]

    assert abs(waist_to_chest(1.0) - 1) < abs(waist_to_chest(0.0) - 1)
    assert waist_to_chest(1.0) == pytest.approx(1, abs=0.06)


def test_the_ground_gets_a_shadow_and_its_colour(clothes, flats):
    ground = (0.9, 0.85, 0.8)
    dark = laid(clothes["tee"], shadow=0.2, ground=ground)
    away = flats["tee"].mask == 0
    np.testing.assert_allclose(dark.albedo[0, 0], ground, atol=1e-3)
    np.testing.assert_allclose(dark.image[0, 0], ground, atol=0.02)
    ring = (cv2.dilate(flats["tee"].mask, np.ones((5, 5))) > 0) & away
    faint = dark.image[ring].mean() / np.mean(ground)
    assert faint < dark.image[away].mean() / np.mean(ground) < 1
    np.testing.assert_array_equal(dark.mask, flats["tee"].mask)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_spec_gives_the_same_flat_another_seed_another(clothes, name):
    spec = spec_of(clothes[name], bend=0.06)
    first, again = lay(clothes[name], spec, SIZE), lay(clothes[name], spec, SIZE)
    for field in ("image", "mask", "albedo", "place", "spot", "side"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    other = lay(clothes[name], replace(spec, seed=4), SIZE)
    assert np.abs(other.place - first.place).max() > 0.005
    assert np.abs(other.image - first.image).max() > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_two_sizes_show_the_same_flat(clothes, flats, name):
    large = laid(clothes[name], (256, 192))
    np.testing.assert_allclose(large.place, flats[name].place, atol=1e-4)
    small = cv2.resize(large.mask.astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_AREA) >= 127.5
    own = flats[name].mask > 0
    assert (small & own).sum() / (small | own).sum() > 0.97
    shrunk = cv2.resize(large.image, SIZE[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk - flats[name].image).mean() < 0.02


@pytest.fixture(scope="module")
def drawn():
    found = defaultdict(list)
    for kind, sleeve in (("top", "long"), ("top", "short"), ("trousers", "tank"), ("skirt", "tank"), ("dress", "cap")):
        found[kind, sleeve] = [sample_flat(stream(3, k, kind + sleeve), kind, sleeve) for k in range(300)]
    return found


def test_drawn_specs_are_plain_data(drawn):
    for specs in drawn.values():
        for spec in specs[:10]:
            data = json.loads(json.dumps(spec.params()))
            back = FlatSpec(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})
            assert back == spec
    assert drawn["top", "long"][0] == sample_flat(stream(3, 0, "toplong"), "top", "long")


def test_drawn_specs_lie_as_shops_lay(drawn):
    angles = {key: np.array([spec.angles for spec in specs]) for key, specs in drawn.items()}
    for (kind, _), values in angles.items():
        laid_at = load_pattern("trousers" if kind == "trousers" else "robe").angles
        low, high = laid_at[0], laid_at[-1]
        assert values.min() >= low and values.max() <= high
        assert np.abs(values[:, 0] - values[:, 1]).mean() < 5  # hardly askew
        assert (values[:, 0] != values[:, 1]).mean() > 0.8
    long, short = angles["top", "long"].mean(1), angles["top", "short"].mean(1)
    assert (long > 14).mean() > 0.55  # mostly hanging
    assert 0.03 < (long < 0).mean() < 0.3  # some spread
    assert long.mean() > short.mean()
    for specs in drawn.values():
        grounds = np.array([spec.ground for spec in specs])
        assert grounds.min() >= 0 and grounds.max() <= 1
        assert (grounds.min(1) > 0.9).mean() > 0.7  # white or nearly
        assert all(0 < spec.fill < 1 and 0 <= spec.shadow < 0.5 for spec in specs)
        assert abs(np.mean([spec.tilt for spec in specs])) < 0.3
        assert len({spec.over for spec in specs}) == 4
        assert len({spec.seed for spec in specs}) > 290
