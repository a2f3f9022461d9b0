from __future__ import annotations

import pytest
import torch

from vto_utils.networks import LAYOUT, GMMOutput, identity_flow, sample
from vto_utils.refinement import RefinementConfig, refine

SIZE = (64, 48)


def square(top: int, left: int, tall: int = 24, wide: int = 20) -> torch.Tensor:
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., top : top + tall, left : left + wide] = 1
    return mask


def found(wanted: torch.Tensor, arm: torch.Tensor | None = None) -> tuple[GMMOutput, torch.Tensor]:
    """An identical flow for a square garment, and a layout that wants it elsewhere."""
    garment = torch.cat([torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)), square(20, 14)], 1)
    layout = torch.full((1, len(LAYOUT), *SIZE), -8.0)
    layout[:, LAYOUT.index("garment")] = torch.where(wanted[:, 0] > 0, 8.0, -8.0)
    layout[:, LAYOUT.index("other")] = -layout[:, LAYOUT.index("garment")]
    if arm is not None:
        layout[:, LAYOUT.index("left-arm")] = torch.where(arm[:, 0] > 0, 30.0, -8.0)
    flow = identity_flow(wanted)
    return GMMOutput(flow, flow, garment, layout, torch.zeros(1, 25, 2), (flow,) * 4, (flow,) * 4), garment


def iou(one: torch.Tensor, other: torch.Tensor) -> float:
    a, b = one > 0.5, other > 0.5
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("top, left, tall, wide", [(23, 11, 24, 20), (20, 14, 28, 24), (18, 16, 26, 16)])
def test_the_garment_comes_to_where_the_layout_wants_it(top, left, tall, wide):
    wanted = square(top, left, tall, wide)
    before, garment = found(wanted)
    after = refine(before, garment, RefinementConfig(steps=60))
    assert iou(before.warped[:, 3:], wanted) < 0.85
    assert iou(after.warped[:, 3:], wanted) > 0.93
    torch.testing.assert_close(after.warped[:, 3:], sample(garment[:, 3:], after.flow, padding="zeros"))
    assert after.layout is before.layout


def test_a_fitting_garment_stays():
    before, garment = found(square(20, 14))
    after = refine(before, garment)
    assert (after.flow - before.flow).abs().max() < 0.02


def test_the_movement_is_smooth():
    before, garment = found(square(23, 11))
    move = refine(before, garment, RefinementConfig(steps=60)).flow - before.flow
    assert (move[..., 1:] - move[..., :-1]).abs().max() < 0.03
    inside = move[..., 28:38, 18:26]  # the whole square has moved by 3 down and 3 to the left
    assert inside[:, 0].mean() == pytest.approx(2 * 3 / 48, rel=0.4)
    assert inside[:, 1].mean() == pytest.approx(-2 * 3 / 64, rel=0.4)


def test_what_an_arm_hides_pulls_at_nothing():
    """The layout has no garment where an arm is in front of it."""
    arm = square(26, 10, 8, 30)
    before, garment = found(square(20, 14) * (1 - arm), arm)
    after = refine(before, garment)
    assert (after.flow - before.flow).abs().max() < 0.02


def test_it_works_within_no_grad_and_leaves_networks_alone():
    wanted = square(23, 11)
    before, garment = found(wanted)
    with torch.no_grad():
        after = refine(before, garment)
    assert not after.flow.requires_grad and iou(after.warped[:, 3:], wanted) > iou(before.warped[:, 3:], wanted)
