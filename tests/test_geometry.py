from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from PIL import Image
from samples import CLOTHS, PEOPLE, garment, mirrored_labels, mirrored_pose, other_side, person

from vto_utils.body import Body
from vto_utils.garment import Garment
from vto_utils.geometry import Part, plan, render
from vto_utils.silhouette import Landmarks, Sleeve

UPPER = [name for name, category in CLOTHS.items() if category == "upper_body"]


@cache
def body(name: str) -> Body:
    found = person(name)
    return Body.measure(found.pose, found.parsing)


@cache
def parts(who: str, cloth: str) -> list[Part]:
    return plan(garment(cloth), body(who))


def target_of(part: Part, where: np.ndarray) -> np.ndarray:
    """Where a part sends the point of its source next to ``where``."""
    away = np.linalg.norm(part.source - where, axis=1)
    assert away.min() < 1.5
    return part.target[away.argmin()]


def mirrored_garment(found: Garment) -> Garment:
    width = found.image.width

    def flip(points: np.ndarray) -> np.ndarray:
        return points * [-1, 1] + [width - 1, 0] if len(points) else points

    marks = found.landmarks
    sleeves = {
        other_side(side): Sleeve(flip(s.outer), flip(s.inner), flip(s.polygon)) for side, s in marks.sleeves.items()
    }
    points = {other_side(name): flip(p) for name, p in marks.points.items()}
    flipped = Landmarks(points, flip(marks.left_side), flip(marks.right_side), sleeves, flip(marks.neckline[::-1]))
    return replace(
        found,
        image=found.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        texture=np.ascontiguousarray(found.texture[:, ::-1]),
        mask=np.ascontiguousarray(found.mask[:, ::-1]),
        landmarks=flipped,
    )


# Planning -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", CLOTHS)
def test_parts(who: str, cloth: str) -> None:
    names = [part.name for part in parts(who, cloth)]
    expected = {"tank_top": {"body"}, "trousers": {"right", "left"}}.get(cloth, {"body", "right", "left"})
    assert len(names) == len(expected) and set(names) == expected
    if "body" in names:
        assert names[0] == "body"  # sleeves lie on it
    for part in parts(who, cloth):
        assert part.source.shape == part.target.shape and part.source.shape[1] == 2 and len(part.source) >= 3
        assert np.isfinite(part.source).all() and np.isfinite(part.target).all()
        assert part.cut.shape == garment(cloth).mask.shape and part.cut.dtype == np.uint8
        assert (part.cut <= garment(cloth).mask).all() and part.cut.any()
        assert part.reach.shape[1] == 2 and part.margin > 0
        height, width = part.cut.shape
        assert (part.source >= -2).all() and (part.source <= [width + 1, height + 1]).all()


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", UPPER)
def test_a_top_goes_to_the_upper_body(who: str, cloth: str) -> None:
    marks, found = garment(cloth).landmarks, body(who)
    torso = parts(who, cloth)[0]
    unit = found.frame.breadth
    sleeved = cloth != "tank_top"
    for side in ("right", "left"):
        shoulder = target_of(torso, marks[f"{side}_shoulder"])
        assert np.linalg.norm(shoulder - found.pose.point(f"{side}_shoulder")) < (0.25 if sleeved else 0.4) * unit
        neck, under, hem = (target_of(torso, marks[f"{side}_{n}"]) for n in ("neck", "underarm", "hem"))
        across = -found.frame.across if side == "right" else found.frame.across
        assert (shoulder - neck) @ across > 0 and (neck - found.frame.neck) @ across > 0
        rows = [(point - found.frame.neck) @ found.frame.down / found.frame.torso for point in (neck, under, hem)]
        assert rows == sorted(rows)
        assert rows[0] < 0.1 and 0.1 < rows[1] < 0.6 and 0.7 < rows[2] < 1.6
    right, left = (target_of(torso, marks[f"{side}_underarm"]) for side in ("right", "left"))
    chest = (found.half_width(0.3, "right") + found.half_width(0.3, "left")) * unit
    assert np.linalg.norm(left - right) == pytest.approx(chest, rel=0.15)


@pytest.mark.parametrize("who", PEOPLE)
def test_sleeves_follow_the_arms(who: str) -> None:
    found = body(who)
    for cloth in ("tshirt_print", "long_sleeve"):
        for part in parts(who, cloth)[1:]:
            sleeve = garment(cloth).landmarks.sleeves[part.name]
            cuff = (target_of(part, sleeve.outer[-1]) + target_of(part, sleeve.inner[-1])) / 2
            shoulder, elbow, wrist = found.arms[part.name][0]
            if cloth == "long_sleeve":
                assert part.covers > 0.9
                assert np.linalg.norm(cuff - wrist) < 0.3 * found.frame.breadth
            else:
                assert 0 < part.covers < 0.6
                # On the upper arm, and across it: in line with shoulder and elbow, before the elbow is reached.
                upper_arm = elbow - shoulder
                assert 0.2 < (cuff - shoulder) @ upper_arm / (upper_arm @ upper_arm) < 1
                across = abs(
                    upper_arm[0] * (cuff - shoulder)[1] - upper_arm[1] * (cuff - shoulder)[0]
                ) / np.linalg.norm(upper_arm)
                assert across < 0.15 * found.frame.breadth
    covers = [{part.name: part.covers for part in parts(who, cloth)} for cloth in ("tshirt_print", "long_sleeve")]
    assert all(covers[0][side] < covers[1][side] for side in ("right", "left"))


@pytest.mark.parametrize("who", PEOPLE)
def test_trousers_go_to_the_legs(who: str) -> None:
    marks, found = garment("trousers").landmarks, body(who)
    unit = found.frame.breadth
    for part in parts(who, "trousers"):
        waist = target_of(part, marks[f"{part.name}_waist"])
        hip = found.at(found.waist, found.half_width(found.waist, part.name), part.name)
        assert np.linalg.norm(waist - hip) < 0.3 * unit
        crotch = target_of(part, marks["crotch"])
        assert np.linalg.norm(crotch - found.frame.pelvis) < 0.5 * found.frame.torso
        leg = marks.sleeves[part.name]
        hem = (target_of(part, leg.outer[-1]) + target_of(part, leg.inner[-1])) / 2
        assert np.linalg.norm(hem - found.pose.landmarks[28 if part.name == "right" else 27, :2]) < 0.4 * unit
    names = [part.name for part in parts(who, "trousers")]
    right, left = names.index("right"), names.index("left")
    assert parts(who, "trousers")[right].target[:, 0].mean() < parts(who, "trousers")[left].target[:, 0].mean()


@pytest.mark.parametrize("who", ["person_1", "person_3"])
@pytest.mark.parametrize("cloth", CLOTHS)
def test_mirrored_garment_on_the_mirrored_person(cloth: str, who: str) -> None:
    found = person(who)
    mirrored = Body.measure(mirrored_pose(found.pose, 384), mirrored_labels(found.parsing))
    flipped = {part.name: part for part in plan(mirrored_garment(garment(cloth)), mirrored)}
    width = garment(cloth).image.width
    for part in parts(who, cloth):
        other = flipped["body" if part.name == "body" else other_side(part.name)]
        there = other.source * [-1, 1] + [width - 1, 0]
        for where, to in zip(part.source, part.target, strict=True):
            same = np.linalg.norm(there - where, axis=1) < 1.5  # two landmarks may share a place
            assert same.any()
            apart = np.linalg.norm(other.target[same] * [-1, 1] + [383, 0] - to, axis=1)
            assert apart.min() < 0.02 * mirrored.frame.breadth
        assert other.covers == pytest.approx(part.covers, abs=0.02)


def test_a_larger_person_wears_it_larger() -> None:
    small = plan(garment("tshirt_print"), body("person_1"))
    large = plan(garment("tshirt_print"), body("person_1").scaled(2))
    for one, two in zip(small, large, strict=True):
        assert np.abs(two.target - 2 * one.target).max() < 1e-2
        assert two.margin == pytest.approx(2 * one.margin, rel=1e-3) and two.covers == pytest.approx(one.covers)


# Rendering ------------------------------------------------------------------------------------------------


def square_part(found: Garment, **changes: object) -> Part:
    """A part that leaves every point where it is."""
    height, width = found.mask.shape
    ys, xs = np.mgrid[0 : height - 1 : 4j, 0 : width - 1 : 4j]
    points = np.stack([xs.ravel(), ys.ravel()], 1)
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    return replace(Part("body", points, points, found.mask, corners, 6.0), **changes)


def test_identity_reproduces_the_texture() -> None:
    found = garment("tshirt_print")
    colours, alpha = render(square_part(found), found, found.mask.shape)
    assert colours.shape == found.texture.shape and colours.dtype == np.float32
    assert alpha.shape == found.mask.shape and alpha.dtype == np.float32
    away = np.abs(colours - found.texture)  # within a thirtieth of a pixel
    assert away.mean() < 0.3 and away.max() < 20
    assert np.abs(alpha - found.mask / 255).max() < 0.06


def test_shift_and_enlargement() -> None:
    found = garment("tshirt_print")
    height, width = found.mask.shape
    part = square_part(found)
    moved = replace(part, target=part.target + [30, 12], reach=part.reach + [30, 12])
    colours, alpha = render(moved, found, (height + 40, width + 60))
    assert np.abs(colours[12 : 12 + height, 30 : 30 + width] - found.texture).mean() < 0.3
    assert np.abs(alpha[12 : 12 + height, 30 : 30 + width] - found.mask / 255).max() < 0.06
    large = replace(part, target=part.target * 1.5, reach=part.reach * 1.5)
    colours, alpha = render(large, found, (height * 3 // 2, width * 3 // 2))
    rows, columns = height // 2 - 1, width // 2 - 1
    every = found.mask[::2, ::2][:rows, :columns] / 255
    assert np.abs(alpha[::3, ::3][:rows, :columns] - every).max() < 0.06


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    found = garment("tshirt_print")
    stripes = found.texture.copy()
    stripes[:] = 0
    stripes[:, ::2] = 255
    part = square_part(found)
    small = replace(part, target=part.target / 4, reach=part.reach / 4)
    colours, _ = render(small, replace(found, texture=stripes), (found.mask.shape[0] // 4, found.mask.shape[1] // 4))
    assert np.abs(colours[4:-4, 4:-4] - 127.5).max() < 20


def test_nothing_outside_the_reach() -> None:
    found = garment("tshirt_print")
    height, width = found.mask.shape
    box = np.array([[100, 150], [200, 150], [200, 260], [100, 260]], float)
    part = square_part(found, reach=box, margin=8.0, cut=np.full_like(found.mask, 255))
    _, alpha = render(part, found, (height, width))
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [box.astype(np.int32)], 1)
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    assert not alpha[distance > 8 + 7].any()
    assert alpha[inside > 0].min() > 0.99


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("cloth", CLOTHS)
def test_rendered_parts(who: str, cloth: str) -> None:
    for part in parts(who, cloth):
        colours, alpha = render(part, garment(cloth), (512, 384))
        assert colours.shape == (512, 384, 3) and alpha.shape == (512, 384)
        assert np.isfinite(colours).all() and alpha.min() >= 0 and alpha.max() <= 1
        reach = np.zeros((512, 384), np.uint8)
        cv2.fillPoly(reach, [np.round(part.reach).astype(np.int32)], 1)
        distance = cv2.distanceTransform(1 - reach, cv2.DIST_L2, 5)
        assert not alpha[distance > part.margin + 7].any()
        assert (alpha > 0.9).sum() > 0.3 * reach.sum()  # and most of the reach is used


def test_a_part_beside_the_photo_is_empty() -> None:
    found = garment("tshirt_print")
    part = square_part(found)
    gone = replace(part, target=part.target + 5000, reach=part.reach + 5000)
    colours, alpha = render(gone, found, (64, 48))
    assert colours.shape == (64, 48, 3) and not alpha.any()


def test_warped_landmarks_land_on_their_targets() -> None:
    found = garment("tank_top")
    part = parts("person_1", "tank_top")[0]
    for name in ("right_underarm", "left_hem"):
        where = found.landmarks[name]
        spot = np.zeros_like(found.mask)
        cv2.circle(spot, tuple(np.round(where).astype(int).tolist()), 6, 255, -1)
        _, alpha = render(replace(part, cut=spot), found, (512, 384))
        ys, xs = np.nonzero(alpha > 0.3)
        assert np.linalg.norm([xs.mean(), ys.mean()] - target_of(part, where)) < 4
