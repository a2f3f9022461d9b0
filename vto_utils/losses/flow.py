"""Losses of a flow: distance from a known one, and smoothness.

A flow is [B, 2, H, W], normalised (x, y) as ``grid_sample(align_corners=False)`` counts, the absolute position
at which every pixel reads the garment image; see :mod:`vto_utils.networks.layers`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..networks.layers import resize
from ..tps import pixel_centres
from .averages import charbonnier, check_image, check_mask, check_pair, difference, precise, weighted_mean
from .pixel import total_variation

FORMS = ("endpoint", "l1", "robust")


def flow_loss(
    flow: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    form: str = "endpoint",
    reference: tuple[int, int] = (256, 192),
    epsilon: float = 1e-2,
    power: float = 0.45,
) -> Tensor:
    """Mean distance between a flow and the true one, in pixels of a reference image.

    With (dx, dy) the error in pixels and d^2 = dx^2 + dy^2:

        endpoint  sqrt(d^2 + epsilon^2) - epsilon            end-point error, Charbonnier's round bottom
        l1        |dx| + |dy|
        robust    (d^2 + epsilon^2)^power - epsilon^(2 power)  Sun et al., "Secrets of optical flow", CVPR 2010

    Weight: no try-on peer has a true flow to learn from; optical flow networks train on the end-point error
    alone (FlowNet, Dosovitskiy et al., ICCV 2015). Beside an L1 of pictures, 0.1 lets 1 pixel cost as much as
    an L1 of 0.1.

    Args:
        flow, target: [B, 2, H, W] normalised.
        valid: [B, 1, H, W] weight of each pixel, 0 where the truth is unknown; there the target may be NaN.
        form: "endpoint", "l1" or "robust".
        reference: (height, width) of the garment image the pixels of which are meant, whatever the size of the
            flow. (2, 2) leaves normalised units.
        epsilon: > 0, in pixels.
        power: of the robust form; below 0.5, far errors pull less the farther they are.

    Raises:
        ValueError: shapes do not fit, or the form is unknown.
    """
    check_pair(flow, target, "flow")
    check_image(flow, "flow", 2)
    check_mask(valid, flow, "valid")
    return _distance(difference(flow, target, valid), valid, form, reference, epsilon, power)


def multi_level_flow_loss(
    flows: Sequence[Tensor],
    target: Tensor,
    valid: Tensor | None = None,
    weights: Sequence[float] | None = None,
    form: str = "endpoint",
    reference: tuple[int, int] = (256, 192),
    epsilon: float = 1e-2,
    power: float = 0.45,
) -> Tensor:
    """Weighted mean of :func:`flow_loss` over the levels of a coarse-to-fine flow.

    Every level is enlarged to the target (its displacement, bilinearly) and compared there, as RAFT does (Teed and
    Deng, ECCV 2020): a coarse truth would mix known and unknown pixels.

    Weight: as :func:`flow_loss`. PF-AFN sums its levels with weights 1, 2, ..., here they are divided by their
    sum, so the number of levels does not change the scale.

    Args:
        flows: [B, 2, h, w] each, coarse to fine, sizes of their own.
        target: [B, 2, H, W] normalised.
        weights: one for each level; None for n + 1 at level n = 0, 1, ... (PF-AFN).
        valid, form, reference, epsilon, power: as :func:`flow_loss`.

    Raises:
        ValueError: no flow, as many weights as there are not flows, shapes do not fit, the form is unknown.
    """
    weights = list(range(1, len(flows) + 1)) if weights is None else list(weights)
    if not flows or len(weights) != len(flows) or sum(weights) <= 0:
        raise ValueError(f"Every level needs a weight, got {len(flows)} flows and the weights {weights}.")
    check_image(target, "target", 2)
    check_mask(valid, target, "valid")
    size, total = tuple(target.shape[-2:]), 0
    truth = displacement(target)
    for flow, weight in zip(flows, weights, strict=True):
        check_image(flow, "flow", 2)
        if flow.shape[0] != target.shape[0]:
            raise ValueError(f"A level has batch {flow.shape[0]}, the target {target.shape[0]}.")
        error = difference(resize(displacement(flow), size), truth, valid)
        total = total + weight * _distance(error, valid, form, reference, epsilon, power)
    return total / sum(weights)


def second_order_smoothness(
    flow: Tensor, mask: Tensor | None = None, epsilon: float = 1e-3, power: float = 0.45
) -> Tensor:
    """How much a flow bends: mean of (d^2 + epsilon^2)^power - epsilon^(2 power), x and y added.

    d is f(p - o) - 2 f(p) + f(p + o) for the neighbours o to the right, below and on both diagonals, where all
    three are inside the flow; the mean is over the four, the pixels and the batch. Any affine flow costs
    nothing. PF-AFN (Ge et al., CVPR 2021), but for the constant that makes 0 the least, which has no gradient.

    Weight: 6, summed over levels weighted 1, 2, ... as in :func:`multi_level_flow_loss` (PF-AFN; GP-VTON has 40
    times as much on the torso), beside an L1 of 1. In normalised units, as there: a flow of twice the size
    has a quarter of d.

    Args:
        flow: [B, 2, H, W], or a displacement, or coordinates of any other grid; H and W at least 3.
        mask: [B, 1, H, W] >= 0; three neighbours weigh the product of their weights. The mask of one visible
            piece lets the flow tear at its edge.

    Raises:
        ValueError: wrong shapes.
    """
    check_image(flow, "flow")
    check_mask(mask, flow)
    height, width = flow.shape[-2:]
    if min(height, width) < 3:
        raise ValueError(f"Second differences need at least 3x3 pixels, got {list(flow.shape)}.")

    def at(x: Tensor, dy: int, dx: int) -> Tensor:
        return x[..., 1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]

    flow, total = precise(flow), 0
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        all_three = None if mask is None else precise(at(mask, 0, 0)) * at(mask, dy, dx) * at(mask, -dy, -dx)
        d = difference(at(flow, dy, dx) + at(flow, -dy, -dx), 2 * at(flow, 0, 0), all_three)
        cost = charbonnier(d.square(), epsilon, power)
        total = total + weighted_mean(cost.sum(1, keepdim=True), all_three)
    return total / 4


def flow_total_variation(flow: Tensor, mask: Tensor | None = None) -> Tensor:
    """First-order smoothness: the total variation of the displacement, 0 for a pure shift.

    Weight: 2 (HR-VITON), 0.01 for the steps of a cascade (PF-AFN). It also resists scaling and turning;
    :func:`second_order_smoothness` does not.

    Args:
        flow: [B, 2, H, W] normalised, absolute.
        mask: as :func:`~vto_utils.losses.total_variation`.

    Raises:
        ValueError: wrong shapes.
    """
    check_image(flow, "flow", 2)
    return total_variation(displacement(flow), mask)


def displacement(flow: Tensor) -> Tensor:
    """A flow [B, 2, H, W] minus the identity flow, precise."""
    flow = precise(flow)
    centres = pixel_centres(tuple(flow.shape[-2:]), device=flow.device, dtype=flow.dtype)
    return flow - centres.permute(0, 3, 1, 2)


def _distance(
    error: Tensor, valid: Tensor | None, form: str, reference: tuple[int, int], epsilon: float, power: float
) -> Tensor:
    """Mean length of normalised errors [B, 2, H, W], in pixels of the reference."""
    if form not in FORMS:
        raise ValueError(f"Unknown form {form!r} of the flow loss: choose one of {', '.join(FORMS)}.")
    height, width = reference
    # The whole image is 2 long.
    pixels = error * torch.tensor([width / 2, height / 2], dtype=error.dtype, device=error.device).view(1, 2, 1, 1)
    if form == "l1":
        return weighted_mean(pixels.abs().sum(1, keepdim=True), valid)
    power = 0.5 if form == "endpoint" else power
    squared = pixels.square().sum(1, keepdim=True)  # (B, 1, H, W)
    return weighted_mean(charbonnier(squared, epsilon, power), valid)
