"""Fitting the warp of one pair to the layout that was found for it: a few steps at test time.

The flow and the target layout come from the same network, but the layout is the easier task. Where the warped
garment's outline and the layout disagree, a small smooth movement of the flow brings them together; the layout stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .networks import LAYOUT, sample
from .networks.gmm import GMMOutput

_GARMENT = LAYOUT.index("garment")
_HIDING = [LAYOUT.index(name) for name in ("left-arm", "right-arm")]  # the garment goes on behind them


@dataclass(frozen=True)
class RefinementConfig:
    """How to refine."""

    steps: int = 20  # of Adam
    rate: float = 0.02  # of Adam; 1 = half the picture
    grid: tuple[int, int] = (16, 12)  # rows and columns of the movement
    bending: float = 20.0  # weight of the movement's second differences
    staying: float = 0.2  # weight of the movement itself


def refine(found: GMMOutput, garment: Tensor, config: RefinementConfig | None = None) -> GMMOutput:
    """Move the flow so that the garment's outline meets the layout.

    Args:
        found: of :meth:`vto_utils.networks.GMM.warp`.
        garment: [B, 4, H', W'] RGB and mask, what was warped.
        config: how.

    Returns:
        The same with another ``flow`` and ``warped``; as it was when nothing got better.
    """
    config = config or RefinementConfig()
    chances = found.layout.detach().float().softmax(1)
    wanted = chances[:, _GARMENT : _GARMENT + 1]  # (B, 1, H, W)
    weight = 1 - chances[:, _HIDING].sum(1, keepdim=True)
    flow, mask = found.flow.detach().float(), garment[:, 3:].detach().float()
    size = tuple(flow.shape[-2:])
    with torch.enable_grad():
        moves = torch.zeros(len(flow), 2, *config.grid, device=flow.device, requires_grad=True)
        optimizer = torch.optim.Adam([moves], lr=config.rate)
        best, least = flow, _misfit(flow, mask, wanted, weight)
        for _ in range(config.steps):
            moved = flow + F.interpolate(moves, size=size, mode="bicubic", align_corners=False)
            misfit = _misfit(moved, mask, wanted, weight)  # (B,)
            if misfit.isfinite().all():
                better = (misfit < least)[:, None, None, None]
                best, least = torch.where(better, moved.detach(), best), torch.minimum(misfit.detach(), least)
            across = moves[..., 2:] - 2 * moves[..., 1:-1] + moves[..., :-2]
            down = moves[..., 2:, :] - 2 * moves[..., 1:-1, :] + moves[..., :-2, :]
            bent = across.square().mean() + down.square().mean()
            loss = misfit.sum() + config.bending * bent + config.staying * moves.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    colours = sample(garment[:, :3], best)
    warped = torch.cat([colours, sample(garment[:, 3:], best, padding="zeros")], 1)
    return found._replace(flow=best, warped=warped)


def _misfit(flow: Tensor, mask: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """[B] soft 1 - IoU of the warped mask and the layout's garment, where nothing hides the garment."""
    worn = sample(mask, flow, padding="zeros")
    both = (weight * worn * wanted).flatten(1).sum(1)
    either = (weight * (worn + wanted - worn * wanted)).flatten(1).sum(1)
    return 1 - both / either.clamp(min=1)
