from dataclasses import replace

import cv2
import numpy as np
import pytest

from vto_utils.labels import ID
from vto_utils.synth.body import load_body
from vto_utils.synth.cameras import Framing, camera
from vto_utils.synth.flats import BACK, FRONT, lay, sample_flat
from vto_utils.synth.people import Identity
from vto_utils.synth.poses import Arm
from vto_utils.synth.scene import LABELS, Worn, body_labels, body_parts, dress, shoot, surface
from vto_utils.synth.seeds import stream
from vto_utils.synth.shading import LightSpec

SIZE = (128, 96)
LIGHT = LightSpec((0.4, 0.7, 1.0), 0.6, 0.0, 3.0, (-0.8, 0.3, 0.9), 0.15, 0.35)
FULL = Framing("crown", "soles", 0.06, 0.94, distance=45.0)
FLAT = replace(
    sample_flat(stream(0, 0, "flat"), "top", "short"), angles=(10.0, 12.0), over=(True, False), tilt=1.0, fill=0.9,
    shift=(0.0, 0.0), bend=0.03, light=(0.3, 0.8), stretch=0.9, slimmer=0.9, doll=0.0,
)  # fmt: skip
PERSON = {
    ID[name]
    for name in (
        "background", "hair", "torso-skin", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe",
        "right-shoe",
    )
}  # fmt: skip


def spec_of(garment):
    return replace(FLAT, angles=(0.0, 1.0)) if garment.style.kind == "trousers" else FLAT


def photographed(figure, outfit, main=0, framing=FULL, size=SIZE):
    """The shot of an outfit, and its main garment laid flat."""
    garment = outfit[main].garment
    flat = lay(garment, spec_of(garment), size)
    lens = camera(framing, figure.body, figure.vertices, figure.posed, size)
    return shoot(figure, outfit, main, flat, lens, LIGHT, size), flat


OUTFITS = {
    "tee over trousers": ("tee", "trousers", False),
    "tee in trousers": ("tee", "trousers", True),
    "long over skirt": ("long", "skirt", False),
    "shorts under tank": ("shorts", "tank", False),
    "skirt over tank": ("skirt", "tank", True),
    "dress": ("dress", None, False),
}


@pytest.fixture(scope="module")
def shots(figure, clothes):
    found = {}
    for name, (main, other, tucked) in OUTFITS.items():
        outfit = dress(clothes[main], None if other is None else clothes[other], tucked)
        found[name] = (outfit, *photographed(figure, outfit))
    return found


def test_a_top_hangs_over_its_bottom_or_is_tucked_in(clothes):
    tee, trousers = clothes["tee"], clothes["trousers"]
    over = dress(tee, trousers, False)
    assert [worn.garment for worn in over] == [tee, trousers]
    assert over[0].outer and not over[1].outer
    np.testing.assert_array_equal(over[0].edge, tee.edge)
    height = trousers.pattern.points[:, 1]
    assert (over[1].edge[height > tee.style.hem + 0.7] < 0).all()  # what the top hides is left out
    low = height < tee.style.hem
    np.testing.assert_array_equal(over[1].edge[low] > 0, trousers.edge[low] > 0)
    tucked = dress(tee, trousers, True)
    assert [worn.garment for worn in tucked] == [tee, trousers]
    assert tucked[1].outer and not tucked[0].outer
    np.testing.assert_array_equal(tucked[1].edge, trousers.edge)
    height = tee.pattern.points[:, 1]
    assert (tucked[0].edge[height < trousers.style.waist - 0.4] < 0).all()
    high = height > trousers.style.waist + 0.5
    np.testing.assert_array_equal(tucked[0].edge[high] > 0, tee.edge[high] > 0)
    assert all((worn.edge <= worn.garment.edge).all() for worn in over + tucked)
    assert all(worn.edge.dtype == np.float32 for worn in over + tucked)


def test_the_pairs_garment_comes_first(clothes):
    for main, other in (("trousers", "tee"), ("skirt", "long"), ("tee", "skirt")):
        for tucked in (False, True):
            outfit = dress(clothes[main], clothes[other], tucked)
            assert outfit[0].garment is clothes[main] and outfit[1].garment is clothes[other]
    alone = dress(clothes["dress"], None, True)
    assert len(alone) == 1 and alone[0].limit is None and not alone[0].outer


def test_a_cropped_top_cannot_be_tucked_in(clothes, sew):
    crop = sew(replace(clothes["tee"].style, hem=1.2))
    worn = dress(crop, clothes["trousers"], True)
    assert worn[0].outer and worn[0].limit is None


@pytest.mark.parametrize("name", OUTFITS)
def test_a_shot_has_only_labels_of_what_is_worn(shots, name):
    outfit, shot, _ = shots[name]
    own = {LABELS[worn.garment.style.kind] for worn in outfit}
    seen = set(np.unique(shot.parse))
    assert own <= seen <= own | PERSON
    share = [np.mean(shot.parse == label) for label in own]
    assert min(share) > 0.01
    assert {ID["hair"], ID["face"], ID["left-arm"], ID["right-arm"]} <= seen
    assert np.mean(shot.parse == ID["background"]) > 0.3
    # no speck of one garment in the middle of another: each is one piece, or two legs, or what an arm parts
    for label in own:
        mask = (shot.parse == label).astype(np.uint8)
        areas = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
        assert areas.max() > 0.9 * areas.sum(), (name, label)


@pytest.mark.parametrize("name", OUTFITS)
def test_a_shots_arrays_agree_with_each_other(shots, name):
    outfit, shot, _ = shots[name]
    for field in ("colour", "albedo", "normal"):
        values = getattr(shot, field)
        assert values.shape == (*SIZE, 3) and np.isfinite(values).all()
    assert shot.colour.min() >= 0 and shot.colour.max() <= 1
    assert shot.cover.min() >= 0 and shot.cover.max() <= 1
    person = shot.parse > 0
    np.testing.assert_array_equal(shot.cover >= 0.5, shot.depth > 0)
    assert (person == (shot.cover >= 0.5)).mean() > 0.99
    assert 30 < np.median(shot.depth[shot.depth > 0]) < 60
    length = np.linalg.norm(shot.normal, axis=-1)
    np.testing.assert_allclose(length[shot.depth > 0], 1, atol=1e-3)
    assert (length[shot.depth == 0] == 0).all()
    assert shot.normal[shot.depth > 0][:, 2].mean() > 0.4
    label = LABELS[outfit[0].garment.style.kind]
    assert (shot.parse[shot.mask] == label).all()
    assert shot.mask.sum() > 0.97 * (shot.parse == label).sum()
    assert (shot.side[~shot.mask] == 0).all() and set(np.unique(shot.side[shot.mask])) <= {FRONT, BACK}
    assert not (shot.valid & ~shot.mask).any()
    assert (shot.flow[~shot.valid] == 0).all() and np.abs(shot.flow).max() <= 1
    assert (shot.albedo[~shot.mask] == 0).all()
    assert shot.valid.sum() > 0.7 * shot.mask.sum()


def test_tucked_and_untucked_show_the_right_parts(figure, clothes, shots):
    """Where a tee hangs over trousers it is seen below the waistband, tucked in the waistband is."""
    over, tucked = (shots[name][1].parse for name in ("tee over trousers", "tee in trousers"))
    top, pants = ID["upper-clothes"], ID["pants"]

    def lowest(parse, label):
        return np.flatnonzero((parse == label).any(1)).max()

    def highest(parse, label):
        return np.flatnonzero((parse == label).any(1)).min()

    assert lowest(tucked, top) < lowest(over, top) - 6
    assert highest(tucked, pants) < highest(over, pants) - 6
    # nothing but the two garments between neck and knees on the middle line
    for parse in (over, tucked):
        column = parse[highest(parse, top) : lowest(parse, top) + 15, SIZE[1] // 2]
        assert np.isin(column, (top, pants)).mean() > 0.95
        change = np.flatnonzero(np.diff(column.astype(int)))
        assert len(change) <= 2


def test_left_is_the_persons_own_left(shots):
    """A person who faces the camera has the left arm on the picture's right."""
    for name in OUTFITS:
        parse = shots[name][1].parse
        for kind in ("arm", "leg", "shoe"):
            left, right = (np.nonzero(parse == ID[f"{side}-{kind}"])[1] for side in ("left", "right"))
            if kind == "arm" or (len(left) > 5 and len(right) > 5):
                assert left.mean() > SIZE[1] / 2 > right.mean(), (name, kind)


def test_body_labels_and_parts_are_on_the_right_side():
    body = load_body()
    labels, parts = body_labels(body), body_parts(body)
    assert labels.shape == parts.shape == (len(body.faces),) and labels.dtype == parts.dtype == np.uint8
    vertices = body.vertices(Identity().body_shape())
    centre = vertices[body.faces].mean(1)
    for side, sign in (("left", 1), ("right", -1)):
        for kind in ("arm", "leg"):
            mine = centre[labels == ID[f"{side}-{kind}"]]
            assert len(mine) > 300
            assert (mine[:, 0] * sign > -0.15).all()
    assert centre[labels == ID["face"], 1].min() > 5
    assert set(np.unique(labels)) == PERSON & set(np.unique(labels)) | {ID["torso-skin"]}
    # DensePose: odd and even ids are the two sides of everything from 3 to 22; hands and feet at the ends
    assert set(np.unique(parts)) == set(range(1, 25))
    for left, right in ((4, 3), (5, 6), (8, 7), (10, 9), (12, 11), (14, 13), (15, 16), (17, 18), (19, 20), (21, 22)):
        assert centre[parts == left, 0].mean() > 0.5 and centre[parts == right, 0].mean() < -0.5
    assert centre[parts == 23, 0].mean() < -0.1 and centre[parts == 24, 0].mean() > 0.1
    for behind, front in ((1, 2), (7, 9), (8, 10), (11, 13), (12, 14)):
        assert centre[parts == behind, 2].mean() < centre[parts == front, 2].mean() - 0.2
    height = [centre[parts == part, 1].mean() for part in (23, 2, 9, 13, 6)]
    assert (np.diff(height) < -1).all()  # head, torso, thigh, shin, foot


def test_the_surface_is_that_of_the_body_under_the_clothes(figure, shots):
    lens = camera(FULL, figure.body, figure.vertices, figure.posed, SIZE)
    parts, place, depth = surface(figure, lens, SIZE)
    assert parts.shape == depth.shape == SIZE and parts.dtype == np.uint8
    assert place.shape == (*SIZE, 2) and place.min() >= 0 and place.max() <= 1
    on_body = parts > 0
    np.testing.assert_array_equal(on_body, depth > 0)
    assert (place[~on_body] == 0).all()
    shot = shots["dress"][1]
    assert (shot.cover > 0)[on_body].mean() > 0.99  # clothes, hair and shoes only add
    skin = np.isin(shot.parse, (ID["left-arm"], ID["right-arm"])) & (shot.cover == 1)
    assert np.isin(parts[skin], (3, 4, *range(15, 23))).mean() > 0.95
    np.testing.assert_allclose(shot.depth[skin], depth[skin], atol=0.5)
    thick = (shot.side > 0) & on_body & (shot.cover == 1)
    assert (shot.depth < depth + 0.15)[thick].mean() > 0.97  # cloth is in front of the skin
    # a person seen from the front shows no back
    assert (parts == 2).sum() > 10 * (parts == 1).sum()


def coded(garment):
    """The garment printed with its own atlas: red tells x, green y, blue the panel."""
    texture = garment.texture.copy()
    half, width = texture.shape[0] // 2, texture.shape[1]
    texture[..., 0] = 0.1 + 0.8 * (np.arange(width, dtype=np.float32) + 0.5) / width
    texture[..., 1] = 0.1 + 0.8 * ((np.arange(2 * half, dtype=np.float32) % half) + 0.5)[:, None] / half
    texture[:half, :, 2], texture[half:, :, 2] = 0.25, 0.75
    texture[..., 3:] = 0
    return replace(garment, texture=texture)


def warped(flat, flow):
    """What grid_sample(align_corners=False) reads in a picture, bilinear."""
    height, width = flat.shape[:2]
    column = ((flow[..., 0] + 1) * width / 2 - 0.5).astype(np.float32)
    row = ((flow[..., 1] + 1) * height / 2 - 0.5).astype(np.float32)
    return cv2.remap(flat, column, row, cv2.INTER_LINEAR)


@pytest.mark.parametrize("name", ["tee", "long", "tank", "trousers", "shorts", "skirt", "dress"])
def test_the_flow_leads_to_the_very_spot(figure, clothes, name):
    """On a garment that is printed with its own coordinates, flat and person agree to a fraction of a pixel."""
    other = None if name == "dress" else clothes["tee" if clothes[name].style.kind != "top" else "trousers"]
    main = coded(clothes[name])
    shot, flat = photographed(figure, dress(main, other, False))
    there = warped(flat.albedo, shot.flow)
    apart = np.abs(there - shot.albedo)[shot.valid]
    assert len(apart) > 150
    half, width = main.texture.shape[0] // 2, main.texture.shape[1]
    texels = apart[:, :2] / 0.8 * [width, half]
    assert np.percentile(texels, 97) < 0.2  # some versions of cv2 round places
    assert texels.max() < 4 and apart[:, 2].max() < 0.02  # never another layer, nor the ground
    assert (np.where(shot.albedo[..., 2] < 0.5, FRONT, BACK) == shot.side)[shot.valid].all()
    # seen from the front, nearly all of it is in the flat
    assert shot.valid[shot.side == FRONT].mean() > 0.7


def test_a_back_view_shows_the_back_panel(build, clothes):
    turned = build(Identity(hair="crop"), yaw=180.0)
    shot, _ = photographed(turned, dress(clothes["tee"], clothes["trousers"], False))
    assert (shot.side == BACK).sum() > 10 * (shot.side == FRONT).sum()
    assert shot.valid.sum() < 0.2 * shot.mask.sum()  # a flat shows little of its back


def test_an_arm_in_front_hides_the_garment(build, clothes):
    outfit = dress(clothes["tank"], clothes["trousers"], False)
    close = Framing("neck", "hips", 0.25, 0.8, distance=40.0)
    free, _ = photographed(build(Identity()), outfit, framing=close)
    arm = Arm(kind="front", abduction=5.0, flexion=25.0, turn=60.0, elbow=95.0)
    crossed, _ = photographed(build(Identity(), left_arm=arm), outfit, framing=close)
    middle = slice(SIZE[1] // 2 - 12, SIZE[1] // 2 + 12)
    arms = [(shot.parse[:, middle] == ID["left-arm"]).sum() for shot in (free, crossed)]
    assert arms[0] == 0 and arms[1] > 60
    assert crossed.mask.sum() < free.mask.sum() - 60
    hidden = (crossed.parse == ID["left-arm"]) & free.mask
    assert not crossed.valid[hidden].any()
    assert (crossed.depth < free.depth)[hidden].mean() > 0.8 and np.median((free.depth - crossed.depth)[hidden]) > 0.3


def test_the_light_shades_the_cloth_and_leaves_the_albedo(figure, clothes):
    outfit = dress(clothes["tee"], clothes["trousers"], False)
    flat = lay(clothes["tee"], FLAT, SIZE)
    lens = camera(FULL, figure.body, figure.vertices, figure.posed, SIZE)
    left, right = (
        shoot(figure, outfit, 0, flat, lens, replace(LIGHT, key=(side * 1.0, 0.3, 0.7), fill_strength=0.0), SIZE)
        for side in (-1, 1)
    )
    for field in ("albedo", "parse", "flow", "depth", "normal", "cover"):
        np.testing.assert_array_equal(getattr(left, field), getattr(right, field))
    columns = np.nonzero(left.mask)[1]
    one, two = left.mask.copy(), left.mask.copy()
    one[:, int(np.median(columns)) :] = False
    two[:, : int(np.median(columns))] = False
    assert left.colour[one].mean() > right.colour[one].mean() + 0.03
    assert right.colour[two].mean() > left.colour[two].mean() + 0.03


def test_a_limit_cuts_a_garment_short(clothes):
    height = clothes["dress"].pattern.points[:, 1]
    worn = Worn(clothes["dress"], limit=height + 1.0)
    assert (worn.edge[height < -1] < 0).all()
    np.testing.assert_array_equal(Worn(clothes["dress"]).edge, clothes["dress"].edge)
