from __future__ import annotations

import json

import numpy as np
import pytest
from drawn import DrawnGenerator

from vto_utils.pose import KEYPOINT_NAMES, Pose
from vto_utils.silhouette import Landmarks, Sleeve
from vto_utils.synth.reality import accuracy, appearance, charts, report
from vto_utils.synth.reality.__main__ import main

SIZE = 64, 48


def standing(turn: float = 0.0) -> np.ndarray:
    """(18, 3) key points, all seen: a torso of 20 pixels, upright and then turned by ``turn`` degrees."""
    places = {
        "nose": (0, -6), "neck": (0, 0), "shoulder": (7, 0), "elbow": (8, 10), "wrist": (9, 20), "hip": (4, 20),
        "knee": (4, 34), "ankle": (4, 48), "eye": (1, -7), "ear": (3, -7),
    }  # fmt: skip
    angle = np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.ones((18, 3), np.float32)
    for row, name in enumerate(KEYPOINT_NAMES):
        side, _, part = name.rpartition("_")
        x, y = places[part]
        points[row, :2] = turned @ (-x if side == "right" else x, y) + (24, 12)
    return points


def straight_flow(shift: tuple[float, float] = (0, 0)) -> np.ndarray:
    """(2, H, W) flow that shows every pixel its own place, plus a shift in pixels."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    return np.stack([(x + 0.5 + shift[0]) / SIZE[1] * 2 - 1, (y + 0.5 + shift[1]) / SIZE[0] * 2 - 1])


def everywhere(value: float = 1, kind: type = bool) -> np.ndarray:
    return np.full(SIZE, value, kind)


# Pose


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_errors_are_split_along_the_body_and_to_its_outside(turn: float) -> None:
    truth, found = standing(turn), standing(turn)
    angle = np.deg2rad(turn)
    left, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    for side, sign in (("left", 1), ("right", -1)):
        found[KEYPOINT_NAMES.index(f"{side}_wrist"), :2] += 2 * sign * left + down
    errors = accuracy.joint_errors(truth, found)
    for side in ("left", "right"):
        assert errors[f"{side}_wrist"] == pytest.approx((np.hypot(10, 5), 10, 5), abs=1e-3)
        assert errors[f"{side}_hip"] == pytest.approx((0, 0, 0), abs=1e-3)


def test_errors_are_asked_only_of_what_is_seen() -> None:
    truth = standing()
    truth[3:6, 2] = 0.5, 0, 0.5
    errors = accuracy.joint_errors(truth, standing())
    assert set(KEYPOINT_NAMES) - set(errors) == set(KEYPOINT_NAMES[3:6])


def test_seen_from_the_side_outwards_is_across_the_torso() -> None:
    truth = standing()
    truth[[2, 5], 0] = 24 - 0.5, 24 + 0.5
    found = truth.copy()
    found[KEYPOINT_NAMES.index("left_hip"), 0] += 2
    assert accuracy.joint_errors(truth, found)["left_hip"] == pytest.approx((10, 10, 0), abs=1e-3)


def test_the_mirror_image_of_a_mirror_image_is_the_picture() -> None:
    points = standing(10)
    points[:, 2] = np.linspace(0, 1, 18)
    other = accuracy.mirrored(points, 48)
    assert np.allclose(accuracy.mirrored(other, 48), points)
    left, right = KEYPOINT_NAMES.index("left_knee"), KEYPOINT_NAMES.index("right_knee")
    assert np.allclose(other[left], (48 - points[right, 0], *points[right, 1:]))
    assert np.allclose(other[0, 1:], points[0, 1:])


# Masks and flow


def test_overlap_tells_too_much_from_too_little() -> None:
    truth, guess = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    truth[:, :8], guess[:, 4:] = 255, 255
    assert accuracy.overlap(guess, truth) == pytest.approx((0.4, 0.25, 0.5))
    assert accuracy.overlap(truth, truth) == (1, 0, 0)
    assert accuracy.overlap(truth * 0, truth * 0) == (1, 0, 0)


def test_a_true_flow_brings_the_flat_garment_onto_the_person() -> None:
    flat = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    shift = (3, -2)
    worn = np.roll(flat, (2, -3), (0, 1))
    valid = everywhere(0)
    valid[8:-8, 8:-8] = True
    assert accuracy.sampled_difference(flat, worn, straight_flow(shift), valid) == 0
    assert accuracy.sampled_difference(flat, worn, straight_flow(), valid) > 40
    assert accuracy.sampled_difference(flat, worn, straight_flow(), everywhere(0)) is None


def test_a_mirrored_flow_and_a_torn_one_are_noticed() -> None:
    valid, side, depth = everywhere(), everywhere(1, np.uint8), everywhere(30, np.float32)
    assert accuracy.flow_order(straight_flow(), valid, side, depth) == (1, 0)
    assert accuracy.flow_order(straight_flow()[:, :, ::-1], valid, side, depth)[0] == 0
    torn = straight_flow()
    torn[0, :, 24:] += 0.5
    assert accuracy.flow_order(torn, valid, side, depth)[1] == pytest.approx(1 / 47)
    depth[:, 24:] = 32  # the right half is something nearer
    assert accuracy.flow_order(torn, valid, side, depth)[1] == 0
    assert accuracy.flow_order(torn, everywhere(0), side, depth) == (1, 0)


def test_arms_lie_on_their_side_of_the_flat_garment() -> None:
    parts, mask = everywhere(2, np.uint8), everywhere(255, np.uint8)
    parts[:, :10], parts[:, -10:] = 16, 15  # the person's left is right in the picture
    arms = 2 * 10 * SIZE[0]
    assert accuracy.flow_sides(straight_flow(), everywhere(), parts, mask, legs=False) == (arms, arms)
    assert accuracy.flow_sides(straight_flow()[:, :, ::-1], everywhere(), parts, mask, legs=False) == (0, arms)
    assert accuracy.flow_sides(straight_flow(), everywhere(), parts, mask, legs=True) == (0, 0)
    assert accuracy.flow_sides(straight_flow(), everywhere(), parts, mask * 0, legs=False) == (0, 0)


def test_two_outfits_agree_when_one_place_follows_from_the_other() -> None:
    parts = everywhere(1, np.uint8)
    parts[:, :20] = 15
    other = straight_flow() * 0.7 + 0.1 + 0.1 * straight_flow() ** 2
    assert np.allclose(accuracy.flow_agreement(other, straight_flow(), everywhere(), parts), 0, atol=1e-3)
    wrong = other.copy()
    wrong[1, :, 30:] += 0.2  # 10 % of the height, on a part of the torso
    arm_last = accuracy.flow_agreement(wrong, straight_flow(), everywhere(), parts)
    assert len(arm_last) == 2 and arm_last[0] > 1 and arm_last[1] < 1e-3


# Statistics of pictures


def test_a_person_picture_is_told_in_lightness_layout_and_shares() -> None:
    image = np.full((*SIZE, 3), 255, np.uint8)
    person, garment, skin = everywhere(0), everywhere(0), everywhere(0)
    person[8:, 12:36], garment[24:56, 12:36], skin[8:20, 16:32] = True, True, True
    image[garment], image[skin] = (0, 0, 0), (200, 150, 130)
    values = appearance.person_values(image, person, garment, skin, Pose(standing()))
    assert values["garment's share"] == pytest.approx([0.25])
    assert values["ground L"] == pytest.approx([100], abs=0.5)
    assert max(values["garment L"]) < 1 < min(values["skin a"])
    assert values["neck x"] == pytest.approx([0.5]) and values["neck y"] == pytest.approx([12 / 64])
    assert values["torso's height"] == pytest.approx([20 / 64])
    assert values["wrist out"] == pytest.approx([0.45, 0.45]) and values["wrist down"] == pytest.approx([1, 1])
    assert max(values["gradient, garment"]) < 0.5 < max(values["gradient, person"])
    assert "neck x" not in appearance.person_values(image, person, garment, skin, None)


@pytest.mark.parametrize(("angle", "length"), [(0, 60), (35, 60), (90, 60), (50, 16)])
def test_sleeve_angles_are_those_of_the_drawing(angle: float, length: float) -> None:
    way = np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
    points = {"right_underarm": (20, 40), "left_underarm": (60, 40), "right_hem": (20, 100), "left_hem": (60, 100),
              "right_neck": (33, 10), "left_neck": (47, 10), "hem": (40, 100)}  # fmt: skip
    sleeves = {}
    for side, sign, start in (("right", -1, (20, 25)), ("left", 1, (60, 25))):
        middle = np.array(start) + np.linspace(0, length, 6)[:, None] * way * (sign, 1)
        across = np.array([way[1] * sign, -way[0]]) * 5
        sleeves[side] = Sleeve(middle + across, middle - across, middle)
    landmarks = Landmarks({name: np.array(place, float) for name, place in points.items()}, np.zeros((6, 2)),
                          np.zeros((6, 2)), sleeves)  # fmt: skip
    values = appearance.sleeve_values(landmarks)
    kind = "long" if length == 60 else "short"
    assert values[f"{kind} sleeve's angle"] == pytest.approx([angle, angle])
    assert values[f"{kind} sleeve's length / chest"] == pytest.approx([length / 40] * 2)
    assert values[f"{kind} sleeve's cuff / chest"] == pytest.approx([0.25, 0.25])
    assert values["length / chest"] == pytest.approx([2.25])
    del landmarks.sleeves["left"]
    assert set(appearance.sleeve_values(landmarks)) == {"length / chest", "hem / chest", "neck / chest"}
    landmarks.points["hem"][1] = 12  # no garment
    assert appearance.sleeve_values(landmarks) == {}


def test_a_flat_garment_is_told_by_its_box() -> None:
    image, mask = np.full((*SIZE, 3), 250, np.uint8), everywhere(0)
    mask[16:48, 12:36] = True
    image[mask] = (20, 30, 120)
    values = appearance.flat_values(image, mask)
    assert values["box: height"] == [0.5] and values["box: width"] == [0.5]
    assert values["box: width / height"] == [0.75] and values["share of its box"] == [1]
    assert max(values["garment b"]) < -20
    assert appearance.flat_values(image, everywhere(0)) == {}


# Report


def test_distance_is_in_standard_deviations() -> None:
    real = np.random.default_rng(0).normal(10, 2, 4000)
    assert report.distance(real, real) == 0
    assert report.distance(real + 3, real) == pytest.approx(1.5, abs=0.05)


def row(index: int, shift: float = 0.0, *, found: bool = True, head: bool = True) -> dict:
    points = standing()
    points[:, 0] += shift
    return {
        "index": index, "crop": "full", "found": found, "head": head, "mirror": [1.0] if found else [],
        "errors": accuracy.joint_errors(standing(), points) if found else {},
        "person": (0.97, 0.01, 0.02), "flats": [(0.9, 0.1, 0.0), (1.0, 0.0, 0.0)],
        "flow": {"difference": [1.0 + index], "valid": [0.9, 0.8]},
        "values": {"tops worn": {"neck y": [0.3 + 0.01 * index]}},
    }  # fmt: skip


def test_the_summary_names_what_was_missed_and_what_was_found_elsewhere() -> None:
    rows = [row(0), row(1, 0.4), row(2, found=False), row(3, 12.0, head=False)]
    summary = report.summarise(rows)
    assert summary["found"] == 0.75
    assert summary["missed"] == [[2, "full", "head"]] and summary["astray"] == [[3, "full", "no head"]]
    assert summary["joints"]["count"] == 24 and summary["joints"]["median"] == pytest.approx(2, abs=1e-3)
    assert summary["joints of pictures with a head"]["p90"] == pytest.approx(2, abs=1e-3)
    assert summary["by joint"]["left_hip"]["out"] == pytest.approx(2, abs=1e-3)
    assert summary["by joint"]["right_hip"]["out"] == pytest.approx(-2, abs=1e-3)
    assert summary["flat"]["mean"] == pytest.approx(0.95)
    assert summary["flow"]["difference"] == {"mean": 2.5, "least": 1, "most": 4}
    text = report.report_text(summary, [], report.pool(rows))
    assert "MISSED: share of people found 0.750" in text and "reached: mean IoU of people 0.970" in text
    assert "2 (full, head)" in text and "| tops worn | neck y | 0.315" in text


def test_a_common_offset_is_told_apart_from_errors() -> None:
    rows = [row(k, 0.6 + noise) for k, noise in enumerate((-0.1, 0, 0.1))]
    figures = report.summarise(rows)["by joint"]["left_elbow"]
    assert figures["out"] == pytest.approx(3, abs=1e-3) and figures["rest"] == pytest.approx(0.5, abs=1e-3)


def test_photographs_are_compared_group_by_group() -> None:
    made = report.pool([row(k) for k in range(5)])
    photos = {"street": {"values": {"tops worn": {"neck y": [0.3, 0.31, 0.32], "hips y": [1.0] * 9}}, "points": {}}}
    lines = report.compare(made, photos)
    assert [line[:3] for line in lines] == [("tops worn", "neck y", "street")]
    text = report.report_text(report.summarise([row(0)]), lines, made)
    assert "| tops worn | neck y | 0.32 +- 0.014, 0.32 (5) | 0.31 +- 0.0082, 0.31 (3) | street |" in text
    charts.statistics_picture(made, {}, photos)
    assert charts.statistics_picture(made, {"tops worn": [standing().tolist()]}, {}).axes


def test_the_flow_of_a_drawn_sample_is_measured() -> None:
    from vto_utils.synth.layout import fields_of
    from vto_utils.synth.samples import SynthConfig

    sample = DrawnGenerator(SynthConfig(size=SIZE, seed=0)).sample(0)
    figures = accuracy.consistency(fields_of(sample), ("top", "top"))
    assert {"valid", "orientation", "jumps"} <= set(figures) and "difference" not in figures
    json.dumps(figures)


def test_bad_input_is_told_in_a_sentence(tmp_path, capsys) -> None:
    for arguments, word in (
        (["--count", "0"], "count"),
        (["--size", "100x100"], "100x100"),
        ([str(tmp_path / "nothing")], "no synthetic data set"),
    ):
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
        message = capsys.readouterr().err
        assert word in message and message.count("\n") == 1
    assert not (tmp_path / "out").exists()
