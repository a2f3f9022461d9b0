from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from drawn_samples import a_sample, inner, warped

from vto_utils.datasets import Augmentation, AugmentationConfig
from vto_utils.datasets.augmentation import Colour
from vto_utils.datasets.mistakes import jittered_mask, other_convention, turned_head, wandering_borders
from vto_utils.datasets.sample import agnostic_region
from vto_utils.errors import InputError
from vto_utils.labels import ID

NOTHING = AugmentationConfig(**{field.name: 0.0 for field in fields(AugmentationConfig)})
ARRAYS = ("person", "parse", "keypoints", "cloth", "cloth_mask", "target", "target_parse", "target_garment", "flow",
          "flow_valid")  # fmt: skip


def changed(one, other) -> set[str]:
    return {name for name in ARRAYS if not np.array_equal(getattr(one, name), getattr(other, name))}


def test_nothing_changes_nothing():
    sample = a_sample()
    same = Augmentation(NOTHING)(sample, 3)
    assert changed(sample, same) <= {"cloth"} and np.abs(same.cloth.astype(int) - white(sample)).max() <= 1
    assert np.array_equal(same.agnostic_mask, agnostic_region(sample))


def white(sample) -> np.ndarray:
    return np.where(sample.cloth_mask[..., None] > 0, sample.cloth, 255).astype(int)


def test_it_follows_from_seed_number_and_epoch():
    sample, augmentation = a_sample(), Augmentation(seed=5)
    first = augmentation(sample, 7, 2)
    augmentation(sample, 1, 0)
    assert not changed(first, augmentation(sample, 7, 2)) and not changed(first, Augmentation(seed=5)(sample, 7, 2))
    for other in (augmentation(sample, 7, 3), augmentation(sample, 8, 2), Augmentation(seed=6)(sample, 7, 2)):
        assert {"person", "cloth", "flow"} <= changed(first, other)


@pytest.mark.parametrize("number", range(8))
def test_the_flow_stays_true(number):
    """Whatever is moved, the garment read at the flow is the garment seen on the person."""
    config = replace(AugmentationConfig(), garment_colour=0.0, photo_colour=0.0, background=0.0)
    sample = a_sample()
    sample = replace(sample, cloth_mask=np.full_like(sample.cloth_mask, 255))
    moved = Augmentation(config)(sample, number)
    assert {"person", "target", "flow"} <= changed(sample, moved)
    seen = inner(moved.flow_valid)
    assert seen.sum() > 0.6 * sample.flow_valid.sum()
    assert np.abs(warped(moved) - moved.target)[seen].mean() < 2


def test_flips_happen_half_the_time():
    config = replace(NOTHING, flip=0.5)
    sample = a_sample()
    flipped = [np.array_equal(Augmentation(config)(sample, n).target, sample.target[:, ::-1]) for n in range(80)]
    assert 25 < sum(flipped) < 55
    kept = [np.array_equal(Augmentation(config)(sample, n).target, sample.target) for n in range(80)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))


def test_a_garment_has_one_colour_flat_and_worn():
    sample = a_sample()
    flat = (np.full_like(sample.cloth, 255), np.full_like(sample.target, 200))
    flat[0][sample.cloth_mask > 0] = 60, 120, 180
    flat[1][sample.target_garment] = 60, 120, 180
    sample = replace(sample, cloth=flat[0], target=flat[1])
    dyed = Augmentation(replace(NOTHING, garment_colour=1.0))(sample, 2)
    within = inner(inner(inner(sample.target_garment)))  # the edge of what is dyed is soft
    worn, laid = dyed.target[within], dyed.cloth[sample.cloth_mask == 255]
    assert (worn == worn[0]).all() and (laid == laid[0]).all()
    assert np.abs(worn[0].astype(int) - laid[0]).max() <= 2 and np.abs(worn[0].astype(int) - (60, 120, 180)).max() > 10
    away = cv2.dilate(sample.target_garment.astype(np.uint8), np.ones((9, 9))) == 0
    assert (dyed.target[away] == 200).all() and (dyed.cloth[sample.cloth_mask == 0] == 255).all()
    assert np.array_equal(dyed.person, sample.person)  # who wears another garment


def test_one_photo_stays_one_photo():
    """In paired data person and target are the same picture, before and after."""
    sample = a_sample()
    paired = replace(sample, target=sample.person, target_parse=sample.parse, swapped=False)
    for number in range(4):
        changed_ = Augmentation()(paired, number)
        assert np.array_equal(changed_.person, changed_.target)


def test_the_light_falls_on_both_photos():
    sample = a_sample()
    sample = replace(sample, person=sample.target)
    lit = Augmentation(replace(NOTHING, photo_colour=1.0))(sample, 1)
    assert np.array_equal(lit.person, lit.target) and changed(sample, lit) <= {"person", "target", "cloth"}
    assert np.abs(lit.person.astype(int) - sample.person).mean() > 3


def test_another_ground_under_the_garment():
    sample = a_sample()
    stained = Augmentation(replace(NOTHING, background=1.0))(sample, 0)
    ground = stained.cloth[sample.cloth_mask == 0].astype(int)
    assert ground.std(0).max() > 0.5 and 180 < ground.mean() < 255 and changed(sample, stained) == {"cloth"}
    assert (
        np.abs(stained.cloth[sample.cloth_mask == 255].astype(int) - sample.cloth[sample.cloth_mask == 255]).max() <= 1
    )


def test_without_a_target():
    sample = replace(
        a_sample(), target=None, target_parse=None, target_garment=None, flow=None, flow_valid=None,
    )  # fmt: skip
    changed_ = Augmentation()(sample, 1)
    assert changed_.target is None and changed_.flow is None and changed_.agnostic_mask.any()


def test_wandering_borders():
    parse = a_sample().parse
    moved = wandering_borders(parse, 1.0, np.random.default_rng(0))
    differs = moved != parse
    assert 0.005 < differs.mean() < 0.12 and set(np.unique(moved)) <= set(np.unique(parse))
    near = cv2.dilate(cv2.morphologyEx(parse, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((9, 9))) > 0
    assert near[differs].all()
    assert np.array_equal(wandering_borders(parse, 0.0, np.random.default_rng(0)), parse)


def test_the_mask_follows_the_spoiled_labels():
    """A try-on hides what it takes for the old garment."""
    sample = a_sample()
    spoiled = Augmentation(replace(NOTHING, label_noise=0.02))(sample, 0)
    assert "parse" in changed(sample, spoiled) and "target_parse" not in changed(sample, spoiled)
    assert np.array_equal(spoiled.agnostic_mask, agnostic_region(replace(sample, parse=spoiled.parse)))
    assert spoiled.agnostic_mask[spoiled.parse == ID["upper-clothes"]].all()


def test_masks_grow_and_shrink():
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    drawn = [jittered_mask(mask, 5.0, 2.0, np.random.default_rng(seed)) for seed in range(60)]
    areas = [one.sum() for one in drawn]
    assert min(areas) < mask.sum() < max(areas)
    for one in drawn:
        assert one[23:37, 23:37].all() and not one[:14].any()
        assert (one & mask).sum() in (one.sum(), mask.sum())  # within it or around it


def test_points_jump_and_vanish():
    config = replace(NOTHING, point_noise=0.01, point_loss=0.2)
    sample = a_sample()
    points = np.stack([Augmentation(config)(sample, number).keypoints for number in range(80)])
    lost = points[..., 2] == 0
    assert 0.15 < lost.mean() < 0.25 and not points[lost].any()
    moved = (points - sample.keypoints)[~lost][:, :2]
    assert abs(moved.mean()) < 0.1 and 0.9 < moved.std() / (0.01 * 128) < 1.1
    gone = [not Augmentation(replace(NOTHING, pose_loss=1.0))(sample, n).keypoints.any() for n in range(3)]
    assert all(gone)


def test_colours():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, 2)
    assert np.abs(Colour(hue=70.0, saturation=1.5)(grey).astype(int) - grey).max() <= 1  # grey has no hue
    assert np.array_equal(Colour()(grey), grey)
    red = np.full((1, 1, 3), (200, 50, 50), np.uint8)
    assert np.abs(Colour(hue=120.0)(red).astype(int) - Colour(hue=-240.0)(red)).max() <= 1
    assert Colour(hue=120.0)(red)[0, 0].argmax() != 0
    assert (Colour(gamma=0.8)(red) >= red).all() and np.ptp(Colour(saturation=0.0)(red)) <= 1


@pytest.mark.parametrize("wrong", [{"flip": 1.5}, {"point_loss": -0.1}, {"person_shift": 2.0}, {"mask_grow": -1.0}])
def test_impossible_configurations(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        AugmentationConfig(**wrong)


def head_and_shoulders() -> tuple[np.ndarray, np.ndarray]:
    """Labels and key points of a head with hair on a top."""
    parse = np.zeros((128, 96), np.uint8)
    parse[50:110, 25:71], parse[20:50, 38:58], parse[12:22, 36:60] = ID["upper-clothes"], ID["face"], ID["hair"]
    points = np.zeros((18, 3), np.float32)
    places = {
        0: (48, 38),
        1: (48, 54),
        2: (30, 54),
        5: (66, 54),
        8: (36, 100),
        11: (60, 100),
        14: (44, 34),
        15: (52, 34),
    }
    for number, place in places.items():
        points[number] = (*place, 1)
    return parse, points


def test_a_turned_head_leaves_the_body_alone():
    parse, points = head_and_shoulders()
    head = np.isin(parse, (ID["face"], ID["hair"]))
    tilts = []
    for seed in range(40):
        turned, moved = turned_head(parse, points, 12.0, np.random.default_rng(seed))
        now = np.isin(turned, (ID["face"], ID["hair"]))
        assert set(np.unique(turned)) <= set(np.unique(parse))
        assert np.array_equal(moved[1:14], points[1:14])
        clothes = parse == ID["upper-clothes"]
        assert (turned[clothes & ~now] == ID["upper-clothes"]).all()  # covered at most
        assert 0.35 < now.sum() / head.sum() < 2.5
        nose = moved[0, :2].round().astype(int)
        assert turned[nose[1], nose[0]] == ID["face"]  # the points go along
        tilts.append(np.degrees(np.arctan2(*(moved[15, :2] - moved[14, :2])[::-1])))
    assert 6 < np.std(tilts) < 18 and abs(np.mean(tilts)) < 6
    same, still = turned_head(parse, points, 0.0, np.random.default_rng(0))
    assert same is parse and still is points
    nobody = np.zeros_like(parse)
    assert turned_head(nobody, points, 12.0, np.random.default_rng(0))[0] is nobody


def test_another_convention_keeps_pairs_level_and_the_neck_between():
    _, points = head_and_shoulders()
    widths = []
    for seed in range(60):
        other = other_convention(points, 0.1, False, np.random.default_rng(seed))
        for one, two in ((2, 5), (8, 11)):
            assert other[one, 1] == other[two, 1]
            assert (other[one, 0] + other[two, 0]) / 2 == pytest.approx(48, abs=1e-4)
        assert np.allclose(other[1, :2], other[[2, 5], :2].mean(0))
        assert np.array_equal(other[[0, 14, 15]], points[[0, 14, 15]])
        widths.append((other[5, 0] - other[2, 0]) / 36 - 1)
    assert 0.07 < np.std(widths) < 0.13
    unknown = points.copy()
    unknown[2] = 0
    kept = other_convention(unknown, 0.1, False, np.random.default_rng(0))
    assert np.array_equal(kept[[1, 2, 5]], unknown[[1, 2, 5]]) and not np.array_equal(kept[8], unknown[8])
