from dataclasses import replace

import numpy as np
import pytest

from vto_utils.synth import mesh
from vto_utils.synth.body import rotation
from vto_utils.synth.flats import BACK, FRONT, sample
from vto_utils.synth.garments import MARGIN, Dresser
from vto_utils.synth.people import Identity
from vto_utils.synth.poses import Arm, Leg
from vto_utils.synth.shells import OFFSET, load_suit
from vto_utils.synth.styles import edges, looseness

NAMES = ("tee", "long", "tank", "trousers", "shorts", "skirt", "dress")


@pytest.mark.parametrize("name", NAMES)
def test_a_garments_cloth_is_printed_on_both_panels(clothes, name):
    garment = clothes[name]
    height, width, channels = garment.texture.shape
    assert channels == 5 and height % 2 == 0 and garment.texture.dtype == np.float32
    assert np.isfinite(garment.texture).all()
    assert garment.texture[..., :3].min() > 0 and garment.texture[..., :3].max() <= 1
    assert np.abs(garment.texture[..., 3:]).max() <= 0.6
    assert garment.texture[..., 3:].std() > 1e-4
    assert np.abs(garment.texture[: height // 2] - garment.texture[height // 2 :]).max() > 1e-3
    # as large as what is worn, with a margin
    worn = garment.atlas[garment.edge > 0]
    extent = np.ptp(worn, axis=0) * garment.scale
    assert extent[0] <= width <= extent[0] + 60 and extent[1] <= height // 2 <= extent[1] + 60
    np.testing.assert_array_equal(garment.edge, edges(garment.style, garment.pattern).inside)
    np.testing.assert_array_equal(garment.loose, looseness(garment.style, garment.pattern))


@pytest.mark.parametrize("name", NAMES)
def test_corners_lead_to_the_atlas_point_in_their_own_half(clothes, name):
    garment = clothes[name]
    corners = garment.corners()
    pattern = garment.pattern
    assert corners.shape == (len(pattern.faces), 3, 2) and corners.dtype == np.float32
    half = garment.texture.shape[0] // 2
    texel = 0.5 / half
    for part, low in ((slice(0, pattern.front), 0.0), (slice(pattern.front, None), 0.5)):
        v = corners[part, :, 1]
        assert v.min() >= low + 0.4 * texel and v.max() <= low + 0.5 - 0.4 * texel  # half a texel off the other panel
    inside = (garment.edge > -0.5 * MARGIN)[pattern.faces].all(1)
    assert corners[inside].min() >= 0 and corners[inside].max() <= 1
    # the texture at a corner is what `flats.sample` finds at the vertex's atlas point
    faces = np.flatnonzero(inside)[::97]
    side = np.where(faces < pattern.front, FRONT, BACK).astype(np.uint8)
    point = garment.atlas[pattern.faces[faces, 0]].astype(np.float32)
    shown = sample(garment, point[None], side[None])[0]
    column = corners[faces, 0, 0] * garment.texture.shape[1] - 0.5
    row = corners[faces, 0, 1] * garment.texture.shape[0] - 0.5
    x, y = np.floor(column).astype(int), np.floor(row).astype(int)
    fx, fy = (column - x)[:, None], (row - y)[:, None]
    x1, y1 = np.minimum(x + 1, garment.texture.shape[1] - 1), np.minimum(y + 1, garment.texture.shape[0] - 1)
    upper = garment.texture[y, x] * (1 - fx) + garment.texture[y, x1] * fx
    lower = garment.texture[y1, x] * (1 - fx) + garment.texture[y1, x1] * fx
    assert len(faces) > 20
    # cv2 rounds places to a 32nd of a texel on some versions
    np.testing.assert_allclose(shown, upper * (1 - fy) + lower * fy, atol=0.03)


def test_the_ground_has_no_cloth(clothes):
    garment = clothes["long"]
    spot = np.zeros((3, 4, 2), np.float32)
    assert (sample(garment, spot, np.zeros((3, 4), np.uint8)) == 0).all()
    assert sample(garment, spot, np.full((3, 4), FRONT, np.uint8)).min() > -1


def test_the_same_seed_sews_the_same_garment(sew, clothes):
    tee = clothes["tee"]
    again = sew(tee.style)
    np.testing.assert_array_equal(again.texture, tee.texture)
    np.testing.assert_array_equal(again.edge, tee.edge)
    other = sew(tee.style, seed=6)
    assert np.abs(other.texture - tee.texture).max() > 0.01


def test_stripes_run_round_the_body(clothes):
    striped = clothes["long"]
    assert striped.fabric.family == "stripe"
    x = np.linspace(-0.9, 0.9, 30, dtype=np.float32)
    y = np.linspace(0.0, 2.0, 60, dtype=np.float32)
    spot = np.stack(np.meshgrid(x, y), -1)
    shown = sample(striped, spot, np.full(spot.shape[:2], BACK, np.uint8))[..., :3]
    assert shown.mean(1).std(0).max() > 4 * shown.mean(0).std(0).max()


@pytest.fixture(scope="module")
def dressers(figure, shapes):
    body = figure.body
    rest = {}
    for name, shape in shapes.items():
        nodes = body.nodes(shape)
        rest[name] = Dresser(body, load_suit(), nodes, body.pose(nodes, {}))
    return rest


def at_rest(dresser, garment, offset=OFFSET, tuck=None, under=None):
    return dresser.rest(garment, offset, tuck, under)


def gaps(dresser, points):
    """(V,) how far outside the suit's skin points are, dm, by the nearest place on it."""
    from scipy.spatial import cKDTree

    normals = mesh.vertex_normals(dresser.base, dresser.suit.faces)
    _, near = cKDTree(dresser.base).query(points, k=4)
    return np.einsum("nkd,nkd->nk", points[:, None] - dresser.base[near], normals[near]).max(1)


@pytest.mark.parametrize("who", ["thin", "heavy"])
@pytest.mark.parametrize("name", NAMES)
def test_worn_cloth_stays_outside_the_body(clothes, dressers, who, name):
    garment, dresser = clothes[name], dressers[who]
    reach, height = np.abs(garment.pattern.points[:, 0]), garment.pattern.points[:, 1]
    crowded = (np.hypot(reach - 1.8, height - 3.7) < 0.7) | ((reach < 0.6) & (height < -0.3))  # armpits, crotch
    for offset in (OFFSET, 0.15):
        rest = at_rest(dresser, garment, offset)
        assert rest.shape == garment.pattern.points.shape and rest.dtype == np.float32
        worn = (garment.edge > 0) & ~crowded
        outside = gaps(dresser, rest[worn])
        least = np.where(height[worn] > 1.5, 0.02, 0.5 * offset)  # on the shoulders it lies on the skin
        assert np.mean(outside < least) < 0.004


@pytest.mark.parametrize("name", NAMES)
def test_worn_cloth_has_unit_normals_outwards(clothes, figure, name):
    worn = figure.dresser.wear(clothes[name])
    assert worn.points.dtype == worn.normals.dtype == np.float32
    assert np.isfinite(worn.points).all()
    np.testing.assert_allclose(np.linalg.norm(worn.normals, axis=1), 1, atol=1e-3)
    front = np.setdiff1d(
        clothes[name].pattern.faces[: clothes[name].pattern.front],
        clothes[name].pattern.faces[clothes[name].pattern.front :],
    )
    front = front[clothes[name].edge[front] > 0.2]
    assert (worn.normals[front, 2] > -0.2).mean() > 0.95


def test_wearing_is_repeatable_and_folds_come_from_the_seed(clothes, figure, sew):
    tee = clothes["tee"]
    worn = figure.dresser.wear(tee)
    np.testing.assert_array_equal(figure.dresser.wear(tee).points, worn.points)
    inside = tee.edge > 0
    other = figure.dresser.wear(sew(tee.style, seed=6))
    apart = np.linalg.norm(other.points - worn.points, axis=1)[inside]
    assert 0.01 < apart.max() < 0.6 and np.median(apart) > 0.003


def test_what_is_worn_outside_is_wider(clothes, figure):
    tee = clothes["tee"]
    trunk = (tee.edge > 0) & (tee.pattern.arm < 0.01) & (tee.pattern.points[:, 1] < 3)
    centre = at_rest(figure.dresser, tee)[trunk].mean(0)
    near, far = (
        np.linalg.norm((at_rest(figure.dresser, tee, offset)[trunk] - centre)[:, [0, 2]], axis=1)
        for offset in (OFFSET, 0.3)
    )
    assert (far - near).mean() == pytest.approx(0.22, abs=0.08)


def test_a_tucked_top_lies_close_below_the_waist(clothes, figure, sew):
    wide = sew(replace(clothes["tee"].style, loose=0.55))
    height = wide.pattern.points[:, 1]
    trunk = wide.pattern.arm < 0.01
    free, tucked = (at_rest(figure.dresser, wide, tuck=tuck) for tuck in (None, 1.3))
    low = trunk & (height > 0.1) & (height < 1.2)
    high = trunk & (height > 3.2)

    def girth(points, where):
        flat = points[where][:, [0, 2]]
        return np.linalg.norm(flat - flat.mean(0), axis=1).mean()

    assert girth(tucked, low) < girth(free, low) - 0.2
    assert girth(tucked, high) == pytest.approx(girth(free, high), abs=0.02)


def test_bottoms_lie_close_under_a_top(clothes, figure, sew):
    trousers = sew(replace(clothes["trousers"].style, loose=0.3, waist=1.6))
    height = trousers.pattern.points[:, 1]
    free, under = (at_rest(figure.dresser, trousers, under=under) for under in (None, -0.2))
    change = np.linalg.norm(free - under, axis=1)
    assert change[height < -1.2].max() < 0.03
    assert change[(height > -0.1) & (height < 1)].mean() > 0.05
    assert gaps(figure.dresser, under)[(height > 0) & (height < 1)].max() < 0.25


def test_loose_tops_hang_straight_over_the_waist(dressers, clothes, sew):
    def waist(loose, cinch=0.0):
        garment = sew(replace(clothes["tee"].style, loose=loose, cinch=cinch))
        rest = at_rest(dressers["thin"], garment)
        trunk = garment.pattern.arm < 0.01
        y = garment.pattern.points[:, 1]
        return [np.abs(rest[trunk & (np.abs(y - at) < 0.15), 0]).max() for at in (2.2, 3.2)]

    tight, loose, cinched = waist(0.02), waist(0.5), waist(0.5, 0.9)
    assert tight[0] / tight[1] < 0.92 < 1 < loose[0] / loose[1]
    assert cinched[0] < loose[0] - 0.1


def test_sleeves_follow_the_arms(clothes, build):
    raised = build(Identity(), left_arm=Arm(abduction=85.0), right_arm=Arm(abduction=15.0))
    worn = raised.dresser.wear(clothes["long"])
    pattern = clothes["long"].pattern
    cuff = (np.abs(pattern.along - 0.95) < 0.03) & (pattern.arm > 0.95)
    for sign, side in ((1, "L"), (-1, "R")):
        wrist = raised.posed.joints[raised.body.bone[f"wrist.{side}"]]
        ring = worn.points[cuff & (pattern.points[:, 0] * sign > 0)]
        assert np.linalg.norm(ring.mean(0) - wrist) < 0.6
    left, right = (worn.points[cuff & (pattern.points[:, 0] * sign > 0), 1].mean() for sign in (1, -1))
    assert left > right + 2


def test_a_skirt_is_pushed_out_of_a_raised_thigh(clothes, build, sew):
    stepping = build(Identity(), left_leg=Leg(flexion=40.0, knee=30.0))
    hip, knee = (stepping.posed.joints[stepping.body.bone[f"{bone}.L"]] for bone in ("upperleg01", "lowerleg01"))
    along = (knee - hip) / np.linalg.norm(knee - hip)

    def beside(points):
        """Distances to the middle of the thigh's bone."""
        place = (points - hip) @ along / np.linalg.norm(knee - hip)
        away = np.linalg.norm(points - hip - ((points - hip) @ along)[:, None] * along, axis=1)
        return away[(place > 0.4) & (place < 0.85)]

    skin = stepping.vertices[np.unique(stepping.body.faces)]
    thigh = beside(skin[skin[:, 0] > 0])
    thigh = np.median(thigh[thigh < 1.2])
    assert 0.5 < thigh < 0.9
    pencil = sew(replace(clothes["skirt"].style, flare=0.0, loose=0.03))
    for garment in (pencil, clothes["skirt"], clothes["dress"]):
        below = (garment.edge > 0) & (garment.pattern.arm < 0.05) & (garment.pattern.points[:, 1] < -0.5)
        away = beside(stepping.dresser.wear(garment).points[below].astype(np.float64))
        assert len(away) > 500
        assert away.min() > 0.95 * thigh and np.percentile(away, 5) > thigh + 0.1


def test_turning_the_whole_person_turns_the_clothes(clothes, figure):
    """Only folds may differ, and they come from the shape of the cloth, not from where it is."""
    body = figure.body
    turn = rotation((0, 1, 0), 40)
    points = []
    for rotations in ({}, {"root": turn}):
        dresser = Dresser(body, load_suit(), figure.nodes, body.pose(figure.nodes, rotations))
        points.append(dresser.wear(clothes["tee"]).points)
    pivot = figure.nodes[body.count + body.bone["root"]]
    np.testing.assert_allclose(points[1], (points[0] - pivot) @ turn.T + pivot, atol=5e-3)
