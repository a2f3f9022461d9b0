from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from samples import CLOTHS, PEOPLE, SIZE, dress, garment, person, photo, tryon

from vto_utils import labels
from vto_utils.agnostic import hands_mask
from vto_utils.body import BodyFrame
from vto_utils.errors import InputError, NoPersonError
from vto_utils.filters import largest_component
from vto_utils.tryon import Person, TryOn, TryOnResult

CATEGORY_WORDS = ("upper_body", "lower_body", "dresses", "auto")
STAGES = (
    "person", "person cut out", "pose", "parsing", "agnostic", "garment", "landmarks", "warped garment",
    "old garment off", "result",
)  # fmt: skip


@cache
def worn(who: str, cloth: str) -> TryOnResult:
    return tryon()(person(who), garment(cloth))


@cache
def drawn_dress_worn() -> TryOnResult:
    return tryon()(person("person_3"), dress().photo())


@pytest.fixture(scope="module", autouse=True)
def freed() -> Iterator[None]:
    yield
    tryon().close()


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


# What must not change -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", CLOTHS)
def test_outside_the_agnostic_mask_is_the_photo(who: str, cloth: str) -> None:
    result = worn(who, cloth)
    before, after = pixels(person(who).image), pixels(result.image)
    assert result.image.mode == "RGB" and after.shape == before.shape
    assert result.agnostic_mask.dtype == np.uint8 and set(np.unique(result.agnostic_mask)) == {0, 255}
    outside = result.agnostic_mask == 0
    assert np.array_equal(after[outside], before[outside])
    assert result.garment_mask.dtype == np.uint8 and not result.garment_mask[outside].any()
    assert (after[~outside] != before[~outside]).any()


def test_outside_the_agnostic_mask_at_full_size() -> None:
    original = photo("person_1", (1024, 768))
    result = tryon()(original, garment("tshirt_print"))
    assert result.image.size == (768, 1024)
    outside = result.agnostic_mask == 0
    assert np.array_equal(pixels(result.image)[outside], pixels(original)[outside])
    assert not result.garment_mask[outside].any()
    # What is decided at 512 pixels looks the same at any size.
    small = cv2.resize(pixels(result.image), SIZE[::-1], interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(small - pixels(worn("person_1", "tshirt_print").image)).mean() < 4


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", CLOTHS)
def test_head_hands_and_other_garments_are_untouched(who: str, cloth: str) -> None:
    found = person(who)
    kept = {"face", "hair", "left-shoe", "right-shoe"}
    kept |= {"pants"} if CLOTHS[cloth] == "upper_body" else {"upper-clothes", "torso-skin"}
    keep = labels.select(found.parsing, tuple(labels.ID[name] for name in kept)) | hands_mask(found.parsing, found.pose)
    assert keep.sum() > 5000
    assert np.array_equal(pixels(worn(who, cloth).image)[keep], pixels(found.image)[keep])


@pytest.mark.parametrize("cloth", ["tshirt_print", "long_sleeve", "tank_top"])
def test_hand_in_front_of_the_torso_stays_in_front(cloth: str) -> None:
    found = person("person_2")
    wrist, knuckle = found.pose.landmarks[[16, 20], :2]
    before, after = pixels(found.image), pixels(worn("person_2", cloth).image)
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]]
    near = np.hypot(xs - knuckle[0], ys - knuckle[1]) < 0.9 * np.hypot(*(knuckle - wrist))
    # By its colour, whatever the label map says: the hand is pink, the top grey.
    pink = near & (before[..., 0] > before[..., 2].astype(int) + 25)
    hand = largest_component(pink)
    assert hand.sum() > 2000
    assert (after[hand] == before[hand]).all(1).mean() > 0.95
    around = BodyFrame.from_pose(found.pose).place(0.55, 0.15)
    assert worn("person_2", cloth).garment_mask[round(around[1]), round(around[0])] > 250


# What must change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", [name for name, category in CLOTHS.items() if category == "upper_body"])
def test_new_top_covers_the_chest_in_its_own_colour(who: str, cloth: str) -> None:
    result, frame = worn(who, cloth), BodyFrame.from_pose(person(who).pose)
    for along, aside in ((0.6, 0.2), (0.7, 0.0), (0.6, -0.15)):
        x, y = np.round(frame.place(along, aside)).astype(int)
        assert result.garment_mask[y, x] > 250
    # the mean, because stripes have no typical pixel
    cloth_colour = garment(cloth).texture[garment(cloth).mask == 255].mean(axis=0)
    seen = pixels(result.image)[result.garment_mask > 250].mean(axis=0)
    assert np.abs(seen - cloth_colour).max() < 12


@pytest.mark.parametrize("who", ["person_1", "person_3"])
def test_new_trousers_cover_the_thighs(who: str) -> None:
    result, pose = worn(who, "trousers"), person(who).pose
    for side in ("left", "right"):
        x, y = np.round(0.75 * pose.point(f"{side}_hip") + 0.25 * pose.point(f"{side}_knee")).astype(int)
        assert result.garment_mask[y, x] > 250


def test_old_garment_is_gone() -> None:
    found = person("person_1")  # wears a red top
    for cloth in ("tshirt_print", "tank_top"):
        after = pixels(worn("person_1", cloth).image).astype(int)
        was = labels.select(found.parsing, labels.CATEGORIES["upper_body"])
        red = (after[..., 0] > 150) & (after[..., 1] < 110) & (after[..., 2] < 100)
        assert (red & was).sum() < 0.01 * was.sum()


@pytest.mark.parametrize("stage", ["upper_body", "lower_body"])
def test_category_words(stage: str) -> None:
    for cloth, category in CLOTHS.items():
        if category == stage:
            assert worn("person_3", cloth).category == category == worn("person_3", cloth).garment.category


def test_dress() -> None:
    result = drawn_dress_worn()
    assert result.category == "dresses"
    found = person("person_3")
    outside = result.agnostic_mask == 0
    assert np.array_equal(pixels(result.image)[outside], pixels(found.image)[outside])
    frame = BodyFrame.from_pose(found.pose)
    for along in (0.6, 1.0, 1.5):
        x, y = np.round(frame.place(along, 0.1)).astype(int)
        assert result.garment_mask[y, x] > 250
        r, g, b = pixels(result.image)[y, x].astype(int)
        assert b > g > r  # blue


def test_another_category_may_be_asked_for() -> None:
    result = tryon()(person("person_3"), garment("tank_top"), category="dresses")
    assert result.category == result.garment.category == "dresses"
    assert any("looks like upper_body, but is used as dresses" in note for note in result.notes)
    assert result.agnostic_mask.astype(bool).sum() > worn("person_3", "tank_top").agnostic_mask.astype(bool).sum()


# Determinism ----------------------------------------------------------------------------------------------


def test_same_seed_same_bytes() -> None:
    first, again = worn("person_1", "tank_top"), tryon()(person("person_1"), garment("tank_top"))
    assert np.array_equal(pixels(first.image), pixels(again.image))
    assert np.array_equal(first.garment_mask, again.garment_mask)


def test_another_seed_changes_only_the_inside() -> None:
    first = worn("person_1", "tank_top")
    other = TryOn(warp="geometric", seed=1, segmentation="rembg")(person("person_1"), garment("tank_top"))
    changed = (pixels(first.image) != pixels(other.image)).any(2)
    assert changed.any() and not changed[first.agnostic_mask == 0].any()
    difference = pixels(first.image).astype(int) - pixels(other.image)
    assert np.abs(difference).max() < 24  # grain, nothing else


def test_paths_bytes_arrays_and_images_give_the_same(tmp_path: Path) -> None:
    shot, shirt = photo("person_1"), photo("tshirt_print")
    shot.save(tmp_path / "me.png")
    stream = io.BytesIO()
    shirt.save(stream, "PNG")
    with tryon() as shared:
        files = shared(str(tmp_path / "me.png"), stream.getvalue())
        arrays = shared(pixels(shot), shirt)
    prepared = worn("person_1", "tshirt_print")
    for result in (files, arrays):
        assert np.array_equal(pixels(result.image), pixels(prepared.image))
        assert np.array_equal(result.agnostic_mask, prepared.agnostic_mask)
        assert result.category == prepared.category and result.notes == prepared.notes
    assert files.person.name.endswith("me.png")
    assert np.array_equal(files.person.parsing, person("person_1").parsing)
    assert np.array_equal(files.garment.mask, garment("tshirt_print").mask)


# Several garments -----------------------------------------------------------------------------------------


def test_an_outfit_wears_both_garments() -> None:
    """The top is given first and put on last; what neither garment may change is the photo."""
    results = tryon().outfit(person("person_1"), [garment("tshirt_print"), garment("trousers")])
    assert [result.category for result in results] == ["lower_body", "upper_body"]
    before, after = pixels(person("person_1").image), pixels(results[-1].image)
    outside = results[-1].agnostic_mask == 0
    assert np.array_equal(after[outside], before[outside])
    for result in results:
        seen = result.garment_mask > 127
        assert seen.sum() > 2000 and not (seen & outside).any()
    legs = (results[0].garment_mask > 127) & (results[-1].garment_mask == 0)
    colour = np.median(np.asarray(garment("trousers").image)[garment("trousers").mask > 127], axis=0)
    assert np.abs(np.median(after[legs], axis=0) - colour).max() < 60


def test_garments_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="at least one garment"):
        tryon().outfit(person("person_1"), [])
    with pytest.raises(InputError, match="cannot be worn together"):
        tryon().outfit(person("person_1"), [garment("tshirt_print"), garment("tank_top")])
    with pytest.raises(InputError, match="cannot be worn together"):
        tryon().outfit(person("person_1"), [dress().photo(), garment("trousers")])


# Notes and stages -----------------------------------------------------------------------------------------


def test_the_path_that_was_taken_is_said() -> None:
    assert any("geometric" in note for note in worn("person_1", "tank_top").notes)
    automatic = TryOn(segmentation="rembg")
    assert automatic.warp == "geometric" and "no trained weights" in automatic.warp_reason


def test_stages() -> None:
    result = tryon()(person("person_1"), garment("tank_top"), stages=True)
    assert tuple(result.stages) == STAGES
    for name, picture in result.stages.items():
        own = name in ("garment", "landmarks")
        assert picture.mode == "RGB" and picture.size == (result.garment.image if own else result.image).size, name
    assert np.array_equal(pixels(result.stages["result"]), pixels(result.image))
    inside = result.agnostic_mask > 0
    before = pixels(person("person_1").image)
    agnostic, bare = pixels(result.stages["agnostic"]), pixels(result.stages["old garment off"])
    assert (agnostic[inside] == 128).all() and np.array_equal(agnostic[~inside], before[~inside])
    assert np.array_equal(bare[~inside], before[~inside]) and (bare[inside] != before[inside]).any()
    assert (pixels(result.stages["person cut out"])[person("person_1").mask < 128] == 255).all()
    assert worn("person_1", "tank_top").stages == {}


# Sizes ----------------------------------------------------------------------------------------------------


def test_size_fits_the_photo_on_white() -> None:
    result = tryon()(photo("person_3"), garment("tank_top"), size=(320, 320))  # (height, width)
    assert result.image.size == (320, 320) and result.agnostic_mask.shape == (320, 320)
    picture = pixels(result.image)
    assert (picture[:, :38] == 255).all() and (picture[:, -38:] == 255).all()  # 240 of 320 columns are photo
    assert not (picture[:, 45:-45] == 255).all(2).all(0).any()
    assert result.garment_mask.max() == 255


def test_size_of_a_prepared_person() -> None:
    same = tryon()(person("person_1"), garment("tshirt_print"), size=SIZE)
    assert same.person is person("person_1")
    assert np.array_equal(pixels(same.image), pixels(worn("person_1", "tshirt_print").image))
    smaller = tryon()(person("person_1"), garment("tshirt_print"), size=(256, 192))
    assert smaller.image.size == (192, 256) and smaller.person.image.size == (192, 256)


@pytest.mark.parametrize("size", [(63, 64), (64, 10), (0, 0), (-100, 200)])
def test_size_too_small(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="too small"):
        tryon()(person("person_1"), garment("tank_top"), size=size)


# Preparing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_prepared_person(who: str) -> None:
    found = person(who)
    assert isinstance(found, Person)
    assert found.mask.shape == found.parsing.shape == found.image.size[::-1]
    assert found.mask is found.segmentation.mask and found.notes == ()
    assert 0.1 < (found.mask > 127).mean() < 0.7


def test_two_people_one_is_dressed() -> None:
    both = Image.new("RGB", (768, 512), (225, 225, 225))
    for column, name in ((0, "person_1"), (384, "person_3")):
        cut = Image.fromarray(person(name).mask)
        both.paste(person(name).image, (column, 0), cut)
    found = tryon().prepare_person(both, "us.jpg")
    assert len(found.notes) == 1
    assert found.notes[0].startswith("us.jpg shows 2 people; the one on the left")
    assert found.pose.point("nose")[0] < 384
    result = tryon()(found, garment("tshirt_print"))
    assert not result.agnostic_mask[:, 420:].any()
    assert found.notes[0] in result.notes


@pytest.mark.parametrize(
    "picture",
    [np.full((300, 240, 3), 200, np.uint8), np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)],
    ids=["plain", "noise"],
)
def test_nobody(picture: np.ndarray) -> None:
    with pytest.raises(NoPersonError, match=r"^wall.png: "):
        tryon().prepare_person(picture, "wall.png")


def test_trousers_need_hips() -> None:
    upper = photo("person_2").crop((0, 0, 384, 380))
    with pytest.raises(NoPersonError, match="hips are not visible"):
        tryon()(upper, garment("trousers"))


def test_photos_given_the_wrong_way_round() -> None:
    with pytest.raises(InputError, match="shows a person"):
        tryon()(person("person_1"), photo("person_2"))
    with pytest.raises(InputError):
        tryon()(photo("tshirt_print"), photo("person_2"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody.jpg"):
        tryon().prepare_person(tmp_path / "nobody.jpg")
    with pytest.raises(InputError, match="nothing.jpg"):
        tryon().prepare_garment(str(tmp_path / "nothing.jpg"))


# Settings -------------------------------------------------------------------------------------------------


def test_unknown_warp() -> None:
    with pytest.raises(InputError, match="Unknown warp 'magic': use one of auto, geometric, learned"):
        TryOn(warp="magic")


def test_learned_warp_has_no_weights() -> None:
    with pytest.raises(InputError, match="no trained weights"):
        TryOn(warp="learned")


def test_unknown_category() -> None:
    with pytest.raises(InputError, match="Unknown category 'hat'") as error:
        tryon()(person("person_1"), garment("tank_top"), category="hat")
    assert all(word in str(error.value) for word in CATEGORY_WORDS)


def test_unknown_segmentation() -> None:
    with pytest.raises(InputError):
        TryOn(segmentation="guess")


def test_context_manager_frees_the_pose_models() -> None:
    with TryOn(segmentation="rembg") as own:
        assert isinstance(own, TryOn)
        own.poses.estimate(photo("person_1"))
        assert own.poses._landmarkers
    assert not own.poses._landmarkers
    assert own.poses.estimate(photo("person_1")).people == 1  # opens again
    own.close()
