from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vto_utils import filters, labels
from vto_utils.agnostic import agnostic_image, agnostic_mask, agnostic_parsing, hands_mask, keep_mask
from vto_utils.errors import InputError, NoPersonError
from vto_utils.pose import KEYPOINT_NAMES, Pose

SAMPLES = Path(__file__).resolve().parent.parent / "sample_images" / "person"
CATEGORIES = ("upper_body", "lower_body", "dresses")
JOINTS = {
    "nose": (96, 38), "neck": (96, 66), "right_shoulder": (74, 66), "right_elbow": (62, 100),
    "right_wrist": (56, 128), "left_shoulder": (118, 66), "left_elbow": (130, 100), "left_wrist": (136, 128),
    "right_hip": (82, 130), "right_knee": (80, 178), "right_ankle": (80, 224), "left_hip": (110, 130),
    "left_knee": (112, 178), "left_ankle": (112, 224), "right_eye": (92, 32), "left_eye": (100, 32),
}  # fmt: skip


def drawn_pose(**changes: tuple[float, float] | None) -> Pose:
    """Someone standing in a picture 256 high and 192 wide; ``None`` takes a key point away."""
    keypoints = np.zeros((18, 3), np.float32)
    for name, place in {**JOINTS, **changes}.items():
        if place is not None:
            keypoints[KEYPOINT_NAMES.index(name)] = *place, 0.9
    return Pose(keypoints)


def drawn_parsing(dress: bool = False) -> np.ndarray:
    """The labels of that person: short sleeves, hands, and trousers or a dress."""
    image = Image.new("L", (192, 256))
    draw = ImageDraw.Draw(image)
    number = labels.ID
    draw.ellipse((80, 14, 112, 44), number["hair"])
    draw.ellipse((84, 24, 108, 54), number["face"])
    draw.rectangle((90, 50, 102, 66), number["torso-skin"])
    for side, hand in (("right", (53, 146)), ("left", (139, 146))):
        shoulder, elbow, wrist = (JOINTS[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        draw.line([shoulder, elbow, wrist, hand], number[f"{side}-arm"], 10)
        draw.line([shoulder, elbow], number["upper-clothes"], 16)
        leg = [JOINTS[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")]
        draw.line(leg, number[f"{side}-leg" if dress else "pants"], 22)
        draw.rectangle((leg[2][0] - 11, 222, leg[2][0] + 11, 236), number[f"{side}-shoe"])
    if dress:
        draw.polygon([(74, 62), (118, 62), (136, 190), (56, 190)], number["dress"])
    else:
        draw.rectangle((76, 126, 116, 150), number["pants"])
        draw.rectangle((72, 62, 120, 134), number["upper-clothes"])
    return np.array(image)


def part(parsing: np.ndarray, *names: str) -> np.ndarray:
    return labels.select(parsing, tuple(labels.ID[name] for name in names))


@pytest.mark.parametrize("category", CATEGORIES)
def test_covers_the_old_garment_and_keeps_what_is_not_its_own(category):
    parsing, pose = drawn_parsing(), drawn_pose()
    region = agnostic_mask(parsing, pose, category)
    assert region.shape == parsing.shape and region.dtype == bool
    assert region[labels.select(parsing, labels.CATEGORIES[category])].all()
    assert not region[part(parsing, "hair", "face", "left-shoe", "right-shoe")].any()
    assert not region[hands_mask(parsing, pose)].any()
    others = {
        "upper_body": ["pants"],
        "lower_body": ["upper-clothes", "left-arm", "right-arm"],
        "dresses": [],
    }
    assert not region[part(parsing, *others[category])].any()


def test_an_upper_garment_may_change_arms_and_neck_down_to_the_wrists():
    parsing, pose = drawn_parsing(), drawn_pose()
    region = agnostic_mask(parsing, pose, "upper_body")
    assert region[part(parsing, "torso-skin")].all()
    arms, hands = part(parsing, "left-arm", "right-arm"), hands_mask(parsing, pose)
    assert region[arms & ~hands].all()
    # There is room beside the old garment for a wider one, but not everywhere.
    clothes = part(parsing, "upper-clothes")
    assert region[filters.grow(clothes, 3) & (parsing == 0)].all()
    ys, xs = np.nonzero(region)
    assert ys.min() > 20 and ys.max() < 200 and xs.min() > 20 and xs.max() < 172


def test_lower_garment_region_begins_below_the_chest():
    parsing = drawn_parsing()
    parsing[70:74, 50:60] = labels.ID["pants"]  # a parser's mistake
    region = agnostic_mask(parsing, drawn_pose(), "lower_body")
    assert not region[:98].any()  # half way down the torso
    assert region[150:200, 96].all()  # a skirt hangs between the legs


def test_dress_region_is_the_union_of_both():
    parsing, pose = drawn_parsing(), drawn_pose()
    upper, lower, dress = (agnostic_mask(parsing, pose, category) for category in CATEGORIES)
    assert dress[upper].all()
    assert dress[lower].all()
    assert dress.sum() > max(upper.sum(), lower.sum())


@pytest.mark.parametrize("category", ["upper_body", "dresses"])
def test_a_dress_is_covered_wholly(category):
    parsing = drawn_parsing(dress=True)
    assert agnostic_mask(parsing, drawn_pose(), category)[part(parsing, "dress")].all()


def test_a_hand_in_front_of_the_garment_is_kept():
    pose = drawn_pose(left_elbow=(132, 112), left_wrist=(112, 104))
    image = Image.fromarray(drawn_parsing())
    ImageDraw.Draw(image).line([(112, 104), (98, 100)], labels.ID["left-arm"], 10)
    parsing = np.array(image)
    hand = np.zeros_like(parsing, bool)
    hand[98:104, 98:106] = True
    assert part(parsing, "left-arm")[hand].all()
    assert hands_mask(parsing, pose)[hand].all()
    assert not agnostic_mask(parsing, pose, "upper_body")[hand].any()
    assert agnostic_mask(parsing, pose, "upper_body")[110:120, 80:110].all()


@pytest.mark.parametrize("missing", ["left_wrist", "left_elbow", "left_hip", "left_knee", "nose"])
@pytest.mark.parametrize("category", CATEGORIES)
def test_a_missing_joint_still_gives_the_old_garment(category, missing):
    parsing = drawn_parsing()
    region = agnostic_mask(parsing, drawn_pose(**{missing: None}), category)
    assert region[labels.select(parsing, labels.CATEGORIES[category])].all()
    assert not region[part(parsing, "hair", "face")].any()


@pytest.mark.parametrize("category", CATEGORIES)
def test_size_of_the_photo_does_not_matter(category):
    parsing = drawn_parsing()
    region = agnostic_mask(parsing, drawn_pose(), category)
    large = np.kron(parsing, np.ones((4, 4), np.uint8))
    grown = agnostic_mask(large, drawn_pose().scaled(4), category)
    assert grown.shape == large.shape
    # Kept parts are cut out at full size, the rest is drawn small and enlarged.
    assert not grown[keep_mask(large, drawn_pose().scaled(4), category)].any()
    overlap = (grown[::4, ::4] & region).sum() / (grown[::4, ::4] | region).sum()
    assert overlap > 0.93


def test_keep_mask_depends_on_the_category():
    parsing, pose = drawn_parsing(), drawn_pose()
    kept = {category: keep_mask(parsing, pose, category) for category in CATEGORIES}
    always = part(parsing, "hair", "face", "left-shoe", "right-shoe") | hands_mask(parsing, pose)
    assert all(mask[always].all() for mask in kept.values())
    assert kept["upper_body"][part(parsing, "pants")].all()
    assert kept["lower_body"][part(parsing, "upper-clothes", "torso-skin", "left-arm", "right-arm")].all()
    assert not kept["dresses"][part(parsing, "pants", "upper-clothes")].any()


def test_hands_lie_beyond_the_wrists():
    parsing = drawn_parsing()
    hands = hands_mask(parsing, drawn_pose())
    arms = part(parsing, "left-arm", "right-arm")
    assert not hands[~arms].any()
    assert not hands[: JOINTS["left_wrist"][1]].any()
    assert hands[JOINTS["left_wrist"][1] + 4 :][arms[JOINTS["left_wrist"][1] + 4 :]].mean() > 0.9
    assert not hands_mask(parsing, drawn_pose(left_wrist=None, right_wrist=None)).any()


def test_unknown_category():
    with pytest.raises(InputError, match="'shoes'.*upper_body, lower_body, dresses"):
        agnostic_mask(drawn_parsing(), drawn_pose(), "shoes")


def test_no_shoulders():
    with pytest.raises(NoPersonError, match="shoulders"):
        agnostic_mask(drawn_parsing(), drawn_pose(left_shoulder=None), "upper_body")


def test_pictures_of_the_region():
    parsing = drawn_parsing()
    region = agnostic_mask(parsing, drawn_pose(), "upper_body")
    photo = np.random.default_rng(0).integers(0, 256, (*parsing.shape, 3), dtype=np.uint8)
    before = photo.copy(), parsing.copy()
    grey = np.asarray(agnostic_image(Image.fromarray(photo), region))
    assert (grey[region] == 128).all()
    np.testing.assert_array_equal(grey[~region], photo[~region])
    rest = agnostic_parsing(parsing, region)
    assert rest.dtype == np.uint8 and not rest[region].any()
    np.testing.assert_array_equal(rest[~region], parsing[~region])
    assert not part(rest, "upper-clothes", "torso-skin").any()
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(parsing, before[1])


@pytest.fixture(scope="module", params=["person_1", "person_2", "person_3"])
def person(request, model_files):
    """A sample person, read by the real models."""
    from vto_utils.parsing import PersonParser
    from vto_utils.pose import PoseEstimator
    from vto_utils.segmentation import PersonSegmenter

    with Image.open(SAMPLES / f"{request.param}.jpg") as image:
        photo = image.convert("RGB").resize((288, 384), Image.Resampling.LANCZOS)
    mask = PersonSegmenter("rembg", "cpu").segment(photo).mask
    with PoseEstimator() as poses:
        pose = poses.estimate(photo)
    return PersonParser().parse(photo, mask, pose), pose


@pytest.mark.parametrize("category", CATEGORIES)
def test_on_the_sample_images(person, category):
    parsing, pose = person
    region = agnostic_mask(parsing, pose, category)
    own = labels.select(parsing, labels.CATEGORIES[category])
    assert own.sum() > 1000
    assert region[own].mean() > 0.999
    assert not region[part(parsing, "hair", "face", "left-shoe", "right-shoe")].any()
    assert 0.03 < region.mean() < 0.8
