from __future__ import annotations

import numpy as np
import pytest
import torch

from vto_utils.networks.body_frames import BODY_FRAMES, body_frames

SIZE = (100, 80)
AT = {name: number for number, name in enumerate(BODY_FRAMES)}


def person(**moved: tuple[float, float] | None) -> torch.Tensor:
    """Key points of somebody upright: shoulders at 30, hips at 60; None for unknown ones."""
    places = {2: (25, 30), 5: (55, 30), 3: (20, 45), 4: (20, 60), 6: (60, 45), 7: (60, 60)}
    places |= {8: (32, 60), 11: (48, 60), 9: (32, 75), 10: (32, 95), 12: (48, 75), 13: (48, 95)}
    places |= {int(name[1:]): place for name, place in moved.items()}
    points = torch.zeros(1, 18, 3)
    for number, place in places.items():
        if place is not None:
            points[0, number] = torch.tensor([*place, 1.0])
    return points


def at(maps: torch.Tensor, name: str, x: float, y: float) -> float:
    """A channel at a place that is the middle of a pixel."""
    return maps[0, AT[name], int(y), int(x)].item()


def test_torso_is_measured_from_the_shoulders_down_and_from_the_spine_aside():
    maps = body_frames(person(), SIZE)
    assert maps.shape == (1, 10, *SIZE) and maps.dtype == torch.float32 and maps.abs().max() <= 1
    assert at(maps, "torso-down", 40.5, 30.5) == pytest.approx(0.5 / 30 / 2)
    assert at(maps, "torso-down", 10.5, 60.5) == pytest.approx(30.5 / 30 / 2)
    assert at(maps, "torso-aside", 55.5, 80.5) == pytest.approx(15.5 / 30 / 2)  # the person's left
    assert at(maps, "torso-aside", 25.5, 80.5) == pytest.approx(-14.5 / 30 / 2)


def test_limbs_are_measured_along_both_bones():
    maps = body_frames(person(), SIZE)
    assert at(maps, "left-leg-along", 48.5, 67.5) == pytest.approx(-0.5)
    assert at(maps, "left-leg-along", 48.5, 85.5) == pytest.approx(10.5 / 20)
    assert at(maps, "left-leg-along", 48.5, 99.5) == 1 and at(maps, "left-leg-along", 48.5, 10.5) == -1
    assert at(maps, "left-leg-aside", 58.5, 70.5) == pytest.approx(10.5 / 35)  # left of one who looks down it
    assert at(maps, "left-leg-aside", 38.5, 70.5) == pytest.approx(-9.5 / 35)


def test_frames_turn_and_grow_with_the_person():
    """The frame of a turned, enlarged person is the frame, turned and enlarged."""
    points, angle, scale = person(), np.deg2rad(20), 1.3
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points.clone()
    moved[0, :, :2] = torch.from_numpy(points[0, :, :2].numpy() @ turn.T + [30, 5]).float()
    before, after = body_frames(points, SIZE), body_frames(moved, (200, 200))
    for x, y in ((40.5, 50.5), (20.5, 40.5), (50.5, 80.5), (60.5, 55.5)):
        there = turn @ [x, y] + [30, 5]
        step = 0.06  # the nearest pixel is up to 0.7 away, in limbs of 30 pixels and more
        for name in BODY_FRAMES:
            assert at(after, name, *there) == pytest.approx(at(before, name, x, y), abs=step), name


def test_unknown_points_leave_their_frames_empty():
    maps = body_frames(person(p3=None, p5=None), SIZE)
    for name in BODY_FRAMES:
        empty = name.startswith(("torso", "right-arm", "left-arm"))
        assert bool(maps[0, AT[name]].any()) != empty, name
    faint = person()
    faint[..., 2] = 0.05
    assert not body_frames(faint, SIZE).any()


def test_torso_without_hips_hangs_from_the_shoulders():
    maps = body_frames(person(p8=None), SIZE)
    height = 30 * 1.5  # of the shoulders' breadth
    assert at(maps, "torso-down", 40.5, 60.5) == pytest.approx(30.5 / height / 2)
    assert at(maps, "torso-aside", 55.5, 60.5) == pytest.approx(15.5 / height / 2)


def test_points_in_one_place_are_no_trouble():
    heap = torch.full((1, 18, 3), 20.0)
    assert torch.isfinite(body_frames(heap, SIZE)).all()


def test_places_do_not_depend_on_resolution():
    large = body_frames(person() * torch.tensor([2.0, 2.0, 1.0]), (200, 160))
    small = torch.nn.functional.avg_pool2d(large, 2)
    difference = (small - body_frames(person(), SIZE)).abs()
    assert difference[:, :2].max() < 1e-5 and difference.median() < 1e-5 and (difference > 0.05).float().mean() < 0.05
