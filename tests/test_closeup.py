from __future__ import annotations

import pytest
import torch

from vto_utils.networks import identity_flow
from vto_utils.networks.closeup import CloseUp


def box(top: int, bottom: int, left: int, right: int, size: tuple[int, int] = (64, 48)) -> torch.Tensor:
    mask = torch.zeros(1, 1, *size)
    mask[..., top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize("edges", [(10, 50, 20, 30), (0, 64, 5, 40), (30, 40, 0, 48), (63, 64, 47, 48)])
def test_mask_fills_the_window(edges):
    top, bottom, left, right = edges
    window = CloseUp.around(box(*edges))
    assert window.scale.item() == pytest.approx(max((bottom - top) / 64, (right - left) / 48) / 0.92)
    assert window.centre[0, 0].item() == pytest.approx((left + right) / 48 - 1)
    assert window.centre[0, 1].item() == pytest.approx((top + bottom) / 64 - 1)


def test_every_picture_has_its_own_window():
    masks = torch.cat([box(10, 50, 20, 30), box(0, 0, 0, 0), box(2, 9, 3, 40)])
    together = CloseUp.around(masks)
    for number in range(3):
        alone = CloseUp.around(masks[number : number + 1])
        assert torch.equal(together.centre[number], alone.centre[0])
        assert torch.equal(together.scale[number], alone.scale[0])
    assert together.scale[1] == 1 and not together.centre[1].any()  # an empty mask: the whole picture


def test_room_below_ends_with_the_picture():
    mask = box(16, 32, 10, 20)
    plain, longer = CloseUp.around(mask), CloseUp.around(mask, below=torch.tensor([0.5]))
    assert longer.scale.item() == pytest.approx(plain.scale.item() * 1.5)
    assert longer.centre[0, 1].item() == pytest.approx((16 + 40) / 64 - 1)
    cut = CloseUp.around(box(16, 60, 10, 20), below=torch.tensor([0.5]))
    assert cut.scale.item() == pytest.approx(48 / 64 / 0.92)


def test_inward_undoes_outward():
    window = CloseUp.around(torch.cat([box(10, 50, 20, 30), box(30, 40, 0, 48)]))
    back = window.outward(window.inward((16, 12)))
    torch.testing.assert_close(back, identity_flow(back).expand(2, -1, -1, -1))
    points = torch.tensor([[[0.0, 0.0]], [[1.0, -1.0]]])
    torch.testing.assert_close(window.outward(points)[0, 0], window.centre[0])
    assert window.outward(points)[1, 0, 0].item() == pytest.approx((window.centre + window.scale)[1, 0].item())


def test_view_shows_the_window():
    """A window of half the picture's size shows its pixels twice as large."""
    picture = torch.rand(1, 3, 64, 48)
    window = CloseUp(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.5]]))
    shown = window.view(picture, (32, 24))
    torch.testing.assert_close(shown, picture[..., 16:48, 12:36])
    whole = CloseUp.whole(picture)
    torch.testing.assert_close(whole.view(picture, (64, 48)), picture)


def test_beyond_the_picture_is_its_edge_or_nothing():
    picture = torch.rand(1, 1, 8, 6) + 0.5
    window = CloseUp(torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0]]))
    assert torch.equal(window.view(picture, (16, 12))[0, 0, 0, 0], picture[0, 0, 0, 0])
    assert not window.view(picture, (16, 12), padding="zeros")[0, 0, :3].any()
